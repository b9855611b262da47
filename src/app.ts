/**
 * The HTTP application out of its parts. Everything it needs comes in, so tests hand it fakes.
 */
import { randomUUID } from 'node:crypto'
import websocket from '@fastify/websocket'
import Fastify, { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { chatRoutes } from './http/chat-routes.ts'
import { completionRoutes } from './http/completion-routes.ts'
import { docsRoutes } from './http/docs-routes.ts'
import { installErrorHandlers } from './http/error-response.ts'
import { modelRoutes } from './http/model-routes.ts'
import { npcRoutes } from './http/npc-routes.ts'
import { streamSocket } from './http/stream-socket.ts'
import { uiRoutes } from './http/ui-routes.ts'
import { createGenerator, type Generator } from './services/generator.ts'
import { createModels } from './services/models.ts'
import type { NpcStore } from './services/npcs/npc-store.ts'
import { createNpcs } from './services/npcs/npcs.ts'
import type { ModelRuntime } from './services/runtime-types.ts'

export interface AppDeps {
  /** The served models; the app does not dispose them. */
  runtimes: readonly ModelRuntime[]
  /** Made over the runtimes unless given. */
  generator?: Generator
  /** Where characters are kept; there are none without. */
  npcStore?: NpcStore
  /** The largest body or socket message. */
  bodyLimitBytes?: number
  logger?: FastifyServerOptions['logger']
}

export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const bodyLimit = deps.bodyLimitBytes ?? 4 * 1024 * 1024
  const app = Fastify({
    logger: deps.logger ?? false,
    // One line per request instead of fastify's two: `onResponse` below.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit,
    requestIdHeader: false,
    genReqId: (request) => requestId(request.headers['x-request-id']),
    forceCloseConnections: true,
  })
  app.addHook('onRequest', async (request, reply) => {
    void reply.header('x-request-id', request.id)
  })
  app.addHook('onResponse', async (request, reply) => {
    // No bodies: what people write to a character is theirs.
    const { method, url } = request
    const ms = Math.round(reply.elapsedTime)
    request.log.info({ method, url, status: reply.statusCode, ms }, 'request')
  })
  installErrorHandlers(app)
  await app.register(websocket, { options: { maxPayload: bodyLimit } })

  const models = createModels(deps.runtimes)
  const generator = deps.generator ?? createGenerator(models)
  await app.register(chatRoutes(generator))
  await app.register(completionRoutes(generator))
  await app.register(modelRoutes(models))
  const npcs = deps.npcStore && createNpcs({ models, generator, store: deps.npcStore })
  if (npcs) await app.register(npcRoutes(npcs))
  await app.register(streamSocket({ generator, npcs }))
  await app.register(docsRoutes())
  await app.register(uiRoutes())
  return app
}

/** The caller's own id where it is harmless in a log, else a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}
