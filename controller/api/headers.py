"""What every answer carries: whose it is, and that a browser neither guesses its kind nor frames nor keeps it."""

OURS = {"Orion-Api": "1"}  # a client can tell us from whoever else has the port
ALWAYS = {
    **OURS,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
UNLESS_SAID = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}  # a year
NOT_KEPT = {"Cache-Control": "no-store"}
ASKED_AGAIN = {
    "Cache-Control": "private, no-cache"
}  # kept by who asked alone, who asks each time whether it holds
