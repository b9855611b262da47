/** The page at `/`: static files of `src/ui` and the chart library's, nothing from another server. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

const contentPolicy =
  "default-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

/** uPlot as it lies in node_modules, by the names that the page uses. */
const chartFiles = { '/vendor/uplot.js': 'uPlot.esm.js', '/vendor/uplot.css': 'uPlot.min.css' }

export const uiRoutes = () => async (app: FastifyInstance) => {
  await app.register(fastifyStatic, {
    root: fileURLToPath(new URL('../ui/', import.meta.url)),
    // One route per file, so that an unknown path stays an API error.
    wildcard: false,
    // A new version must show at once; unchanged files cost a 304.
    cacheControl: false,
    setHeaders: (reply) => {
      void reply
        .header('cache-control', 'no-cache')
        .header('content-security-policy', contentPolicy)
        .header('x-content-type-options', 'nosniff')
    },
  })
  const chartFolder = dirname(fileURLToPath(import.meta.resolve('uplot')))
  for (const [path, file] of Object.entries(chartFiles)) {
    app.get(path, (_request, reply) => reply.sendFile(file, chartFolder))
  }
}
