"""The hospital's identity provider (OpenID Connect): its documents, its keys, its tokens; the only joserfc import."""
