# What an image needs, after docs/images.md: `claude` or `codex`, bash, curl, and mkdir, chmod, cat and date.
# Starting from one that has them leaves only your own tools to add; from another base it would be
#   RUN apt-get update && apt-get install -y --no-install-recommends bash ca-certificates curl git
#   COPY claude /usr/local/bin/
FROM clauderon-agents:latest

# Not needed, and clauderon's own business: a USER, a HOME, an ENTRYPOINT, proxy variables, cache directories.
# The container runs as you, with HOME=/workspace, where your checkout is mounted over what the image has there:
# put tools elsewhere, such as /usr/local, readable by everyone.
ARG GREETING
RUN printf '#!/bin/sh\necho %s\n' "$GREETING" >/usr/local/bin/greet && chmod 755 /usr/local/bin/greet
