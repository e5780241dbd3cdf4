# nginx of Debian 13 with the module:
#
#   docker build -t nginx-conflict .

FROM debian:trixie-slim AS build

RUN apt-get update \
    && apt-get install -y --no-install-recommends make

WORKDIR /src
COPY . .
RUN make deb

FROM debian:trixie-slim

COPY --from=build /src/build/deb/libnginx-mod-http-conflict_*.deb /tmp/

# the logs go to "docker logs"

RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx \
        /tmp/libnginx-mod-http-conflict_*.deb \
    && rm -rf /tmp/*.deb /var/lib/apt/lists/* \
    && ln -sf /dev/stdout /var/log/nginx/access.log \
    && ln -sf /dev/stdout /var/log/nginx/conflict.log \
    && ln -sf /dev/stderr /var/log/nginx/error.log

EXPOSE 80

# requests that are being processed are finished

STOPSIGNAL SIGQUIT

CMD ["nginx", "-g", "daemon off;"]
