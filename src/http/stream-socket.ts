/**
 * WebSocket /v1/stream: several replies over one socket, each cancellable by its id. The messages are those of
 * `schemas/stream.ts`; `docs/websocket.md` describes them.
 */
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ClientMessage, type ServerMessage, type StartMessage } from '../../schemas/stream.ts'
import { SteerError, fail } from '../errors.ts'
import type { Npcs } from '../services/npcs/npcs.ts'
import type { JobService } from '../services/job-service.ts'
import type { GenerationEvent, Generator } from '../services/generator.ts'
import { toUsage } from './chat-serializer.ts'
import { toErrorResponse } from './error-response.ts'
import { socketGeneration } from './generation-input.ts'
import { createJobSocket } from './job-socket.ts'
import { createNpcSocket } from './npc-socket.ts'
import { parseInput } from './parse-body.ts'

/** Replies that one socket may have under way. */
const maxStreams = 32

export interface SocketServices {
  generator: Generator
  /** Messages to characters are refused without. */
  npcs?: Npcs
  /** Jobs cannot be watched without. */
  jobs?: JobService
}

export const streamSocket = (services: SocketServices) => async (app: FastifyInstance) => {
  app.get('/v1/stream', { websocket: true, preValidation: checkOrigin }, (socket, request) =>
    serveSocket(services, socket, request),
  )
}

/** Browsers let any page open a socket to any host; only pages of this server may. */
async function checkOrigin(request: FastifyRequest): Promise<void> {
  const { origin, host } = request.headers
  if (origin === undefined || URL.parse(origin)?.host === host) return
  fail('BAD_REQUEST', `origin ${origin.slice(0, 200)} may not open a socket here`)
}

function serveSocket(services: SocketServices, socket: WebSocket, request: FastifyRequest): void {
  const { generator, jobs, npcs } = services
  const streams = new Map<string, AbortController>()
  const send = (message: ServerMessage): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message))
  }
  const sendError = (id: string | null, error: unknown): void => {
    const { status, body } = toErrorResponse(error)
    if (status >= 500) request.log.error(error)
    const { code, message, param } = body.error
    send({ type: 'error', id, code, message, param })
  }

  const npcCaller = { admit: () => request.admit('npcs'), key: request.apiKey }
  const characters = npcs && createNpcSocket(npcs, npcCaller, send)
  const watches = jobs && createJobSocket(jobs, () => request.admit('jobs'), send)

  const start = async (message: StartMessage): Promise<void> => {
    const { id } = message
    if (streams.has(id)) fail('BAD_REQUEST', `id: "${id}" is still under way`, { param: 'id' })
    if (streams.size >= maxStreams) fail('QUEUE_FULL', `${maxStreams} on this socket`)
    const abort = new AbortController()
    streams.set(id, abort)
    try {
      await request.admit('generate')
      const generation = {
        ...socketGeneration(message),
        caller: request.apiKey,
        address: request.ip,
      }
      await writeReply(id, generator.stream(generation, abort.signal), abort.signal, send)
    } finally {
      streams.delete(id)
    }
  }

  const receive = (message: ClientMessage): void => {
    if (message.type === 'ping') send({ type: 'pong' })
    else if (message.type === 'start') {
      start(message).catch((error: unknown) => sendError(message.id, error))
    } else if (message.type === 'watch_job' || message.type === 'unwatch_job') {
      if (!watches) fail('NOT_FOUND', 'there are no jobs on this server')
      watches.receive(message).catch((error: unknown) => sendError(message.id, error))
    } else if (message.type !== 'cancel') {
      if (!characters) fail('NOT_FOUND', 'there are no characters on this server')
      characters.receive(message).catch((error: unknown) => sendError(message.id, error))
    } else {
      const running = streams.get(message.id)
      if (!running) fail('NOT_FOUND', `no stream "${message.id}" is under way`, { param: 'id' })
      running.abort()
    }
  }

  socket.on('message', (data: Buffer, isBinary: boolean) => {
    let id: string | null = null
    try {
      const json = parseJson(data, isBinary)
      id = idOf(json)
      receive(parseInput(ClientMessage, json, 'the message'))
    } catch (error) {
      sendError(id, error)
    }
  })
  socket.on('close', () => {
    for (const abort of streams.values()) abort.abort()
    characters?.close()
    watches?.close()
  })
}

async function writeReply(
  id: string,
  events: AsyncIterable<GenerationEvent>,
  signal: AbortSignal,
  send: (message: ServerMessage) => void,
): Promise<void> {
  let requested: Record<string, number> = {}
  let achieved: Record<string, number> | null = null
  let finishReason: 'stop' | 'length' = 'stop'
  let seq = 0
  try {
    for await (const event of events) {
      if (event.type === 'start') {
        requested = event.requested ?? {}
        send({ type: 'started', id, requested })
      } else if (event.type === 'delta') {
        if (event.text !== '') send({ type: 'delta', id, seq: seq++, text: event.text })
      } else if (event.type === 'finish') {
        finishReason = event.finishReason
        achieved = event.steering?.achieved ?? null
      } else {
        const usage = toUsage(event.usage)
        send({ type: 'done', id, finish_reason: finishReason, usage, requested, achieved })
      }
    }
  } catch (error) {
    const isCancel = signal.aborted && error instanceof SteerError && error.code === 'CANCELLED'
    if (!isCancel) throw error
    send({ type: 'done', id, finish_reason: 'cancelled', usage: null, requested, achieved })
  }
}

function parseJson(data: Buffer, isBinary: boolean): unknown {
  if (isBinary) fail('INVALID_JSON', 'expected a text frame, got a binary one')
  try {
    return JSON.parse(data.toString('utf8'))
  } catch (error) {
    return fail('INVALID_JSON', (error as Error).message, { cause: error })
  }
}

/** The id of a message that may be wrong otherwise, so that the client knows whose error it is. */
function idOf(json: unknown): string | null {
  const id = (json as { id?: unknown } | null)?.id
  return typeof id === 'string' && id.length <= 128 ? id : null
}
