# Builds dist/ and leaves the tools that did it behind.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json tsconfig.build.json ./
RUN npm ci
COPY src ./src
COPY schemas ./schemas
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production REDFLASH_HOST=0.0.0.0 REDFLASH_PORT=8000 REDFLASH_HTTPS_PORT=8443
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE NOTICE ./
COPY schemas ./schemas
COPY mockups ./mockups
USER node
EXPOSE 8000 8443
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:8000/redfish/v1/').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# It serves beyond loopback, and so refuses to start without a password: docker run -e REDFLASH_PASSWORD=… redflash
CMD ["node", "dist/main.js", "serve"]
