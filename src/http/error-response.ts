/** Every error as OpenAI's error body: ours by their code, fastify's mapped, the rest hidden. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorResponse } from '../../schemas/common.ts'
import { isLostConnection } from '../database/index.ts'
import { SteerError, type ErrorCode } from '../errors.ts'

/** The code on the wire: lower case, as OpenAI writes codes; one has OpenAI's own name, which clients look for. */
export function wireCode(code: ErrorCode): string {
  return code === 'CONTEXT_TOO_LONG' ? 'context_length_exceeded' : code.toLowerCase()
}

/** 5xx say the title only: what went wrong inside is for the log. */
export function toErrorResponse(error: unknown): { status: number; body: ErrorResponse } {
  const known = toSteerError(error)
  const isInner = known.status >= 500
  const title = known.message.slice(0, known.message.length - known.detail.length - 2)
  return {
    status: known.status,
    body: {
      error: {
        message: isInner ? title : known.message,
        type: known.type,
        param: isInner ? null : known.param,
        code: wireCode(known.code),
      },
    },
  }
}

const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_JSON',
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_JSON',
}

function toSteerError(error: unknown): SteerError {
  if (error instanceof SteerError) return error
  // Drizzle wraps what the database failed with.
  if (error instanceof Error && error.cause instanceof SteerError) return error.cause
  if (isLostConnection(error)) {
    return new SteerError('DATABASE_UNAVAILABLE', 'the connection was lost', { cause: error })
  }
  const { code, statusCode, message } = (error ?? {}) as Partial<FastifyError>
  const cause = { cause: error }
  const mapped = fastifyCodes[code ?? '']
  if (mapped) return new SteerError(mapped, lowerFirst(message ?? ''), cause)
  if (error instanceof SyntaxError && statusCode === 400) {
    return new SteerError('INVALID_JSON', error.message, cause)
  }
  if (statusCode && statusCode >= 400 && statusCode < 500) {
    return new SteerError('BAD_REQUEST', lowerFirst(message ?? ''), cause)
  }
  return new SteerError('INTERNAL', message ?? String(error), cause)
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** Error and not-found handlers; a known path with another method is a 405 with `allow`. */
export function installErrorHandlers(app: FastifyInstance): void {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const source = url
      .replace(/[.*+?^${}()|[\]\\]/g, (sign) => `\\${sign}`)
      .replace(/:[^/]+/g, '[^/]+')
    const route = routes.get(url) ?? { pattern: new RegExp(`^${source}$`), methods: new Set() }
    for (const name of [method].flat()) route.methods.add(name)
    routes.set(url, route)
  })

  app.setErrorHandler((error, request, reply) => sendError(error, request, reply))
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0]!
    const route = [...routes.values()].find((item) => item.pattern.test(path))
    const detail = `${request.method} ${path.slice(0, 200)}`
    if (!route) return sendError(new SteerError('NOT_FOUND', detail), request, reply)
    const allowed = [...route.methods].join(', ')
    void reply.header('allow', allowed)
    const error = new SteerError('METHOD_NOT_ALLOWED', `${detail}; allowed: ${allowed}`)
    return sendError(error, request, reply)
  })
}

function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, body } = toErrorResponse(error)
  if (status >= 500) request.log.error(error)
  if (status === 429 || status === 503) {
    const seconds = error instanceof SteerError ? error.retryAfterSeconds : null
    void reply.header('retry-after', String(seconds ?? 1))
  }
  return reply.code(status).send(body)
}
