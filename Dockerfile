# docker build --target server -t roomwatch .
# docker build --target agent  -t roomwatch-agent .
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm install --ignore-scripts
COPY . .
RUN node scripts/build.mjs

FROM node:24-bookworm-slim AS server-packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --omit=dev

# The agent stands beside other people's applications: it carries no store, no metrics registry, no mailer.
FROM node:24-bookworm-slim AS agent-packages
WORKDIR /app
COPY package.json .npmrc ./
RUN npm pkg delete devDependencies dependencies.lmdb dependencies.ioredis dependencies.prom-client \
      dependencies.node-cron dependencies.nodemailer dependencies.chinese-days \
    && npm install --omit=dev --no-package-lock

FROM node:24-bookworm-slim AS base
ENV NODE_ENV=production
WORKDIR /app
# The data directory is made here so that a volume mounted on it belongs to the user.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn* \
    && install -d -o node -g node /data
VOLUME /data
USER node

FROM base AS agent
COPY --from=agent-packages /app/package.json ./
COPY --from=agent-packages /app/node_modules ./node_modules
COPY --from=build /build/dist/agent ./dist/agent
COPY --from=build /build/dist/protocol ./dist/protocol
COPY --from=build /build/dist/sla ./dist/sla
# The spool's volume is a container's identity, not its name, which changes whenever it is made anew. One name for
# all defeats no detection of clones that is needed: volumes are not cloned with machines as images are.
ENV ROOMWATCH_HOST_ID=container
EXPOSE 9471
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9471/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
WORKDIR /data
ENTRYPOINT ["node", "/app/dist/agent/main.js"]
CMD ["--listen", "0.0.0.0:9471", "--spool", "/data/spool"]

FROM base AS server
COPY --from=server-packages /app/package.json ./
COPY --from=server-packages /app/node_modules ./node_modules
COPY --from=build /build/dist ./dist
EXPOSE 9470
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9470/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
WORKDIR /data
ENTRYPOINT ["node", "/app/dist/server/main.js"]
CMD ["serve"]
