/**
 * WebSocket /v1/stream: several replies, lines of characters and watched jobs over one socket. Owns the connection: who may
 * open it, what it may send how fast, whether the other end is alive and keeps up. The messages are those of
 * `schemas/stream.ts`; `docs/websocket.md` describes them.
 */
import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ClientMessage, type ServerMessage } from '../../schemas/stream.ts'
import { SteerError, fail } from '../errors.ts'
import type { Npcs } from '../services/npcs/npcs.ts'
import type { JobService } from '../services/job-service.ts'
import type { Generator } from '../services/generator.ts'
import { createResumableStreams } from '../services/streams/resumable-streams.ts'
import { toErrorResponse } from './error-response.ts'
import { createJobSocket } from './job-socket.ts'
import { createNpcSocket } from './npc-socket.ts'
import { parseInput } from './parse-body.ts'
import { createReplySocket, type KeptStreams } from './reply-socket.ts'
import { createMessageMeter, createSendQueue, keepAlive } from './socket-guards.ts'

export interface SocketServices {
  generator: Generator
  /** Messages to characters are refused without. */
  npcs?: Npcs
  /** Jobs cannot be watched without. */
  jobs?: JobService
  limits?: Partial<SocketLimits>
}

export interface SocketLimits {
  /** How long a resumable stream waits for its client. */
  resumeMs: number
  /** Between two pings; a peer that answers none is gone. */
  heartbeatMs: number
  /** A socket may send so many messages at once, and as many a second. */
  messagesPerSecond: number
  /** Streams wait while so many bytes were not taken by the client. */
  bufferedBytes: number
}

const defaultLimits: SocketLimits = {
  resumeMs: 60_000,
  heartbeatMs: 30_000,
  messagesPerSecond: 100,
  bufferedBytes: 256 * 1024,
}

export const streamSocket = (services: SocketServices) => async (app: FastifyInstance) => {
  const limits = { ...defaultLimits, ...services.limits }
  const resumable: KeptStreams = createResumableStreams(limits.resumeMs)
  app.addHook('preClose', async () => resumable.close())
  app.get('/v1/stream', { websocket: true, preValidation: checkOrigin }, (socket, request) =>
    serveSocket({ ...services, limits, resumable }, socket, request),
  )
}

/** Browsers let any page open a socket to any host; only pages of this server may. */
async function checkOrigin(request: FastifyRequest): Promise<void> {
  const { origin, host } = request.headers
  if (origin === undefined || URL.parse(origin)?.host === host) return
  fail('BAD_REQUEST', `origin ${origin.slice(0, 200)} may not open a socket here`)
}

interface Services extends SocketServices {
  limits: SocketLimits
  resumable: KeptStreams
}

function serveSocket(services: Services, socket: WebSocket, request: FastifyRequest): void {
  const { generator, jobs, npcs, limits, resumable } = services
  const queue = createSendQueue(socket, limits.bufferedBytes)
  const send = (message: ServerMessage): void => queue.send(JSON.stringify(message))
  const sendError = (
    id: string | null,
    error: unknown,
    more: { seq?: number; about?: string } = {},
  ): void => {
    const { status, body } = toErrorResponse(error)
    if (status >= 500) request.log.error(error)
    const { code, message, param } = body.error
    send({ type: 'error', id, code, message, param, ...more })
  }

  const npcCaller = { admit: () => request.admit('npcs'), key: request.apiKey }
  const characters = npcs && createNpcSocket(npcs, npcCaller, send)
  const watches = jobs && createJobSocket(jobs, () => request.admit('jobs'), send)
  const caller = {
    admit: () => request.admit('generate'),
    get key() {
      return request.apiKey
    },
    address: request.ip,
  }
  const replies = createReplySocket({ generator, resumable, caller, send, sendError, ready: queue.ready }) // prettier-ignore

  const receive = async (message: ClientMessage): Promise<void> => {
    switch (message.type) {
      case 'ping':
        return send({ type: 'pong' })
      case 'watch_job':
      case 'unwatch_job':
        if (!watches) fail('NOT_FOUND', 'there are no jobs on this server')
        return watches.receive(message)
      case 'npc_say':
      case 'npc_event':
      case 'npc_interrupt':
        if (!characters) fail('NOT_FOUND', 'there are no characters on this server')
        return characters.receive(message)
      default:
        return replies.receive(message)
    }
  }

  const meter = createMessageMeter(limits.messagesPerSecond)
  /** False when the message is not to be looked at. */
  const mayPass = (): boolean => {
    const verdict = meter.count()
    if (verdict === 'first refused') sendError(null, tooMany(limits.messagesPerSecond))
    if (verdict === 'close') socket.close(1008, 'rate_limited')
    return verdict === 'pass'
  }

  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!mayPass()) return
    let id: string | null = null
    try {
      const json = parseJson(data, isBinary)
      id = idOf(json)
      const message = parseInput(ClientMessage, json, 'the message')
      receive(message).catch((error: unknown) => sendError(id, error))
    } catch (error) {
      sendError(id, error)
    }
  })
  socket.on('ping', mayPass)
  keepAlive(socket, limits.heartbeatMs)
  socket.on('close', () => {
    replies.close()
    characters?.close()
    watches?.close()
    queue.close()
  })
}

const tooMany = (perSecond: number): SteerError =>
  new SteerError('RATE_LIMITED', `more than ${perSecond} messages a second; some were not read`)

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
