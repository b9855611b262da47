/**
 * Who may call which route. A key comes as `Authorization: Bearer`, as `x-api-key`, or, on the WebSocket, where browsers
 * can set no header, as `?api_key=` or as the subprotocol `steerlm.key.<key>`. Routes read `request.apiKey`.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Scope } from '../../schemas/keys.ts'
import { fail } from '../errors.ts'
import { keyStart, mayDo, type Caller, type Keys } from '../services/keys.ts'
import type { Limits } from '../services/limits.ts'
import type { Usage } from '../services/usage.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose key came with the request; null where none is needed and none came. */
    apiKey: Caller | null
    /**
     * Lets one piece of work begin: the key must still work and have this scope, and one request is counted. Done for
     * every HTTP request; sockets call it for each message that asks for work.
     */
    admit(scope: Scope | null): Promise<void>
  }
}

export interface AuthDeps {
  keys: Keys
  usage: Usage
  limits: Limits
  /** False: a request without a key may do everything, as on a server that only this machine reaches. */
  required: boolean
}

/** `*`: any valid key. The first rule that fits counts; a route of `/v1` that fits none is for admins. */
const rules: readonly (readonly [path: string, scope: Scope | '*', method?: string])[] = [
  ['/v1/chat', 'generate'],
  ['/v1/completions', 'generate'],
  ['/v1/responses', 'generate'],
  ['/v1/embeddings', 'generate'],
  ['/v1/decisions', 'predict'],
  ['/v2/models', 'predict'],
  ['/v1/tokenize', 'generate'],
  ['/v1/detokenize', 'generate'],
  ['/v1/apply-template', 'generate'],
  ['/tokenize', 'generate'],
  ['/detokenize', 'generate'],
  ['/apply-template', 'generate'],
  ['/v1/adapters', 'models'],
  ['/v1/load_lora_adapter', 'models'],
  ['/v1/unload_lora_adapter', 'models'],
  ['/v1/models', 'models', 'DELETE'],
  ['/v1/models', '*'],
  ['/v1/attributes/predict', 'predict'],
  ['/v1/attributes', '*'],
  // Each message asks for the scope of its kind.
  ['/v1/stream', '*'],
  ['/v1/datasets', 'data'],
  ['/v1/files', 'data'],
  ['/v1/jobs', 'jobs'],
  ['/v1/fine_tuning', 'jobs'],
  ['/v1/registry', 'models'],
  ['/v1/npcs', 'npcs'],
  ['/v1/usage', '*'],
  ['/v1/keys', 'admin'],
]

/**
 * What a route asks for; null: it is open. Takes the route's own pattern, not the path of the request, which can be
 * written in more than one way.
 */
export function scopeOf(method: string, pattern: string): Scope | '*' | null {
  const rule = rules.find(
    ([path, , only]) => isUnder(pattern, path) && (only === undefined || only === method),
  )
  if (rule) return rule[1]
  return isUnder(pattern, '/v1') ? 'admin' : null
}

const isUnder = (pattern: string, path: string): boolean =>
  pattern === path || pattern.startsWith(`${path}/`)

/** Without `deps` there are no keys, and everything is allowed. */
export function installAuth(app: FastifyInstance, deps?: AuthDeps): void {
  app.decorateRequest('apiKey', null)
  app.decorateRequest('admit', async function (this: FastifyRequest, scope: Scope | null) {
    if (deps) await admit(deps, this, scope)
  })
  if (!deps) return
  app.addHook('onRequest', async (request, reply) => {
    const { url: pattern } = request.routeOptions
    const scope = pattern === undefined ? null : scopeOf(request.method, pattern)
    if (scope === null) return
    try {
      refuseForeignPages(request)
      await request.admit(scope === '*' ? null : scope)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'UNAUTHENTICATED') {
        const reason = keyOf(request) === null ? '' : ', error="invalid_token"'
        void reply.header('www-authenticate', `Bearer realm="steerlm"${reason}`)
      }
      throw error
    }
  })
}

async function admit(deps: AuthDeps, request: FastifyRequest, scope: Scope | null): Promise<void> {
  const caller = await callerOf(deps, request)
  request.apiKey = caller
  if (!caller) return
  if (!mayDo(caller, scope)) {
    fail('FORBIDDEN', `the key "${caller.name}" lacks the scope "${scope}"`)
  }
  deps.limits.takeRequest(caller)
  deps.usage.add(caller.id, { requests: 1 })
}

/** Null: nobody in particular, where no key is needed. Fails UNAUTHENTICATED. */
async function callerOf(
  { keys, required }: AuthDeps,
  request: FastifyRequest,
): Promise<Caller | null> {
  const key = keyOf(request)
  if (key === null) {
    return required ? fail('UNAUTHENTICATED', 'send "Authorization: Bearer <key>"') : null
  }
  const caller = await keys.verify(key)
  if (caller) return caller
  // Clients of OpenAI's API must send something; where no key is needed, what is no key of ours is nothing.
  if (!required && !key.startsWith(keyStart)) return null
  return fail('UNAUTHENTICATED', 'the key is unknown, expired or revoked')
}

const protocolStart = 'steerlm.key.'

function keyOf(request: FastifyRequest): string | null {
  const { authorization, 'x-api-key': header, upgrade } = request.headers
  const bearer = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  if (typeof header === 'string' && header !== '') return header
  if (upgrade?.toLowerCase() !== 'websocket') return null
  const offered = protocolsOf(request).find((name) => name.startsWith(protocolStart))
  if (offered !== undefined) return offered.slice(protocolStart.length)
  const { api_key: query } = request.query as { api_key?: unknown }
  return typeof query === 'string' && query !== '' ? query : null
}

function protocolsOf(request: FastifyRequest): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? ''
  return header.split(',').map((name) => name.trim())
}

/** The subprotocol that a socket answers with: rather not the one that holds the key. */
export function chooseProtocol(offered: ReadonlySet<string>): string | false {
  const [first] = offered
  return [...offered].find((name) => !name.startsWith(protocolStart)) ?? first ?? false
}

/**
 * Where no key is needed, a page of another site must not change anything here: browsers send requests across sites,
 * and say so in `Origin`.
 */
function refuseForeignPages(request: FastifyRequest): void {
  const { origin, host } = request.headers
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead || origin === undefined || keyOf(request) !== null) return
  if (URL.parse(origin)?.host === host) return
  fail('FORBIDDEN', `pages of ${origin.slice(0, 200)} may not call this server without a key`)
}

/** A URL for the log: without the key that may stand in its query. */
export function redactUrl(url: string): string {
  const start = url.indexOf('?')
  if (start < 0) return url
  const parts = url.slice(start + 1).split('&')
  const shown = parts.map((part) => {
    const [name = ''] = part.split('=', 1)
    return decoded(name) === 'api_key' ? 'api_key=…' : part
  })
  return `${url.slice(0, start)}?${shown.join('&')}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
