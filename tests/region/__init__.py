"""Several hosts on one machine: network namespaces with addresses of their own, and the service spread over them."""
