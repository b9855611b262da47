# syntax=docker/dockerfile:1
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The script of onnxruntime-node would download CUDA libraries; the CPU library is in the package.
# What is for other platforms, other processors and GPUs goes; docs/devices.md says what GPUs need instead.
ENV ONNXRUNTIME_NODE_INSTALL=skip
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && cd node_modules/onnxruntime-node/bin/napi-v6 \
  && rm -rf darwin win32 \
  && find linux -mindepth 1 -maxdepth 1 ! -name "$(node -p process.arch)" -exec rm -rf {} + \
  && find linux '(' -name '*providers_cuda*' -o -name '*providers_tensorrt*' ')' -delete

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 STEERLM_HOME=/data
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY package.json openapi.yaml LICENSE ./
COPY bin bin
COPY schemas schemas
COPY models models
COPY bench bench
COPY src src
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.PORT+'/health').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
CMD ["node", "src/main.ts", "serve"]
