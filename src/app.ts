/**
 * The HTTP application out of its parts. Everything it needs comes in, so tests hand it fakes.
 */
import { randomUUID } from 'node:crypto'
import websocket from '@fastify/websocket'
import Fastify, { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { adapterRoutes } from './http/adapter-routes.ts'
import { chooseProtocol, installAuth, redactUrl } from './http/auth.ts'
import { chatRoutes } from './http/chat-routes.ts'
import { completionRoutes } from './http/completion-routes.ts'
import { datasetRoutes } from './http/dataset-routes.ts'
import { decisionRoutes } from './http/decision-routes.ts'
import { docsRoutes } from './http/docs-routes.ts'
import { embeddingRoutes } from './http/embedding-routes.ts'
import { installErrorHandlers } from './http/error-response.ts'
import { fileRoutes } from './http/file-routes.ts'
import { fineTuningRoutes } from './http/fine-tuning-routes.ts'
import { installHubImports, type HubImports } from './http/hub-imports.ts'
import { inferenceRoutes } from './http/inference-routes.ts'
import { jobRoutes } from './http/job-routes.ts'
import { keyRoutes } from './http/key-routes.ts'
import { modelRoutes } from './http/model-routes.ts'
import { npcRoutes } from './http/npc-routes.ts'
import { responseRoutes } from './http/response-routes.ts'
import { registryRoutes } from './http/registry-routes.ts'
import { streamSocket, type SocketLimits } from './http/stream-socket.ts'
import { tokenizeRoutes } from './http/tokenize-routes.ts'
import { uiRoutes } from './http/ui-routes.ts'
import type { AdapterService } from './services/adapters.ts'
import { withBusySignal } from './services/busy-signal.ts'
import type { Datasets } from './services/datasets.ts'
import type { Files } from './services/files.ts'
import type { FineTuning } from './services/fine-tuning.ts'
import { createGenerator, type Generator } from './services/generator.ts'
import type { NpcStore } from './services/npcs/npc-store.ts'
import { createNpcs } from './services/npcs/npcs.ts'
import type { JobService } from './services/job-service.ts'
import { createModels, type Models } from './services/models.ts'
import type { RegistryService } from './services/registry-service.ts'
import type { Keys } from './services/keys.ts'
import { createLimits } from './services/limits.ts'
import { meterGenerator, spendOn } from './services/metered-generator.ts'
import type { ModelRuntime } from './services/runtime-types.ts'
import {
  createMemoryResponseStore,
  type ResponseStore,
} from './services/responses/response-store.ts'
import type { Usage } from './services/usage.ts'

export interface AppDeps {
  /** The served models; the app does not dispose them. */
  runtimes: readonly ModelRuntime[]
  /** Made over the runtimes unless given; given where models come and go. */
  models?: Models
  /** Made over the runtimes unless given. */
  generator?: Generator
  /** Where characters are kept; there are none without. */
  npcStore?: NpcStore
  /** Where responses are kept; in this process unless given. */
  responseStore?: ResponseStore
  datasets?: Datasets
  files?: Files
  jobs?: JobService
  hubImports?: HubImports
  /** OpenAI's fine-tuning; needs jobs and files behind it. */
  fineTuning?: FineTuning
  /** Hears when replies are being written and when the last one ends; jobs step back meanwhile. */
  onBusy?: (busy: boolean) => void
  /** An upload that sends nothing for so long is cut off. */
  uploadIdleMs?: number
  /** The largest body, uploads aside, or socket message. */
  bodyLimitBytes?: number
  socketLimits?: Partial<SocketLimits>
  logger?: FastifyServerOptions['logger']
  adapters?: AdapterService
  /** Publishing and serving while the server runs. */
  registry?: RegistryService
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
  app.addHook('onSend', async (_request, reply) => {
    void reply.header('openai-processing-ms', String(Math.round(reply.elapsedTime)))
  })
  app.addHook('onResponse', async (request, reply) => {
    // No bodies: what people write to a character is theirs.
    const { method } = request
    const url = redactUrl(request.url)
    const ms = Math.round(reply.elapsedTime)
    request.log.info({ method, url, status: reply.statusCode, ms }, 'request')
  })
  installErrorHandlers(app)
  acceptEmptyDeletes(app)
  await app.register(websocket, {
    options: { maxPayload: bodyLimit, handleProtocols: chooseProtocol },
  })

  const { auth } = deps
  const limits = createLimits()
  installAuth(app, auth && { ...auth, limits })
  installHubImports(app, deps.hubImports ?? 'admin')
  if (auth) await app.register(keyRoutes(auth.keys, auth.usage))

  const models = deps.models ?? createModels(() => deps.runtimes)
  const plain = deps.generator ?? createGenerator(models)
  const { onBusy } = deps
  const noticed = onBusy ? withBusySignal(plain, onBusy) : plain
  const generator = auth ? meterGenerator(noticed, spendOn(limits, auth.usage)) : noticed
  await app.register(chatRoutes(generator, models))
  await app.register(completionRoutes(generator, models))
  const responses = deps.responseStore ?? createMemoryResponseStore()
  await app.register(responseRoutes({ models, generator, store: responses }))
  await app.register(modelRoutes(models))
  await app.register(tokenizeRoutes(models))
  const spend = auth && spendOn(limits, auth.usage)
  await app.register(decisionRoutes(models, spend))
  await app.register(embeddingRoutes(models, spend))
  await app.register(inferenceRoutes(models))
  const npcs = deps.npcStore && createNpcs({ models, generator, store: deps.npcStore })
  if (npcs) await app.register(npcRoutes(npcs))
  if (deps.adapters) await app.register(adapterRoutes(deps.adapters))
  if (deps.registry) await app.register(registryRoutes(deps.registry))
  await app.register(streamSocket({ generator, npcs, jobs: deps.jobs, limits: deps.socketLimits }))
  const uploads = deps.uploadIdleMs === undefined ? {} : { idleMs: deps.uploadIdleMs }
  if (deps.datasets) await app.register(datasetRoutes(deps.datasets, uploads))
  if (deps.jobs) await app.register(jobRoutes(deps.jobs))
  if (deps.fineTuning) await app.register(fineTuningRoutes(deps.fineTuning))
  if (deps.files) await app.register(fileRoutes(deps.files, uploads))
  await app.register(docsRoutes())
  await app.register(uiRoutes())
  return app
}

/** OpenAI's Python SDK says that a DELETE without a body is JSON. */
function acceptEmptyDeletes(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>(
    'application/json',
    { parseAs: 'string' },
    (request, body, done) => {
      if (body === '' && request.method === 'DELETE') done(null)
      else void parse(request, body, done)
    },
  )
}

/** The caller's own id where it is harmless in a log, else a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID()
}
