"""The gate by image: fitted on train films and drawn pictures, its cut-off chosen on val, its figures a kind of picture."""
