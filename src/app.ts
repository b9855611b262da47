/**
 * The HTTP application out of its parts. Everything it needs comes in, so tests hand it fakes.
 */
import { randomUUID } from 'node:crypto'
import websocket from '@fastify/websocket'
import Fastify, { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { chooseProtocol, installAuth, redactUrl } from './http/auth.ts'
import { chatRoutes } from './http/chat-routes.ts'
import { completionRoutes } from './http/completion-routes.ts'
import { docsRoutes } from './http/docs-routes.ts'
import { installErrorHandlers } from './http/error-response.ts'
import { keyRoutes } from './http/key-routes.ts'
import { modelRoutes } from './http/model-routes.ts'
import { streamSocket } from './http/stream-socket.ts'
import { uiRoutes } from './http/ui-routes.ts'
import { createGenerator, type Generator } from './services/generator.ts'
import type { Keys } from './services/keys.ts'
import { createLimits } from './services/limits.ts'
import { meterGenerator, spendOn } from './services/metered-generator.ts'
import { createModels } from './services/models.ts'
import type { ModelRuntime } from './services/runtime-types.ts'
import type { Usage } from './services/usage.ts'

export interface AppDeps {
  /** The served models; the app does not dispose them. */
  runtimes: readonly ModelRuntime[]
  /** Made over the runtimes unless given. */
  generator?: Generator
  /** The largest body or socket message. */
  bodyLimitBytes?: number
  logger?: FastifyServerOptions['logger']
  /** Without it there are no keys, and everybody may do everything. */
  auth?: AuthParts
}

export interface AuthParts {
  keys: Keys
  /** The app does not close it. */
  usage: Usage
  /** Whether a request must have a key. */
  required: boolean
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
    const { method } = request
    const url = redactUrl(request.url)
    const ms = Math.round(reply.elapsedTime)
    request.log.info({ method, url, status: reply.statusCode, ms }, 'request')
  })
  installErrorHandlers(app)
  await app.register(websocket, {
    options: { maxPayload: bodyLimit, handleProtocols: chooseProtocol },
  })

  const { auth } = deps
  const limits = createLimits()
  installAuth(app, auth && { ...auth, limits })
  if (auth) await app.register(keyRoutes(auth.keys, auth.usage))

  const models = createModels(deps.runtimes)
  const plain = deps.generator ?? createGenerator(models)
  const generator = auth ? meterGenerator(plain, spendOn(limits, auth.usage)) : plain
  await app.register(chatRoutes(generator))
  await app.register(completionRoutes(generator))
  await app.register(modelRoutes(models))
  await app.register(streamSocket(generator))
  await app.register(docsRoutes())
  await app.register(uiRoutes())
  return app
}

/** The caller's own id where it is harmless in a log, else a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}
