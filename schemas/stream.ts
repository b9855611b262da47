/** Messages of the WebSocket `/v1/stream`, one JSON object per text frame (`docs/websocket.md`). */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'
import { FinishReason, InputMessages, Usage, samplingFields, steeringFields } from './common.ts'
import { npcClientMessages, npcServerMessages } from './npcs.ts'
import { Job, JobEvent } from './jobs.ts'

/** The client's name for a stream; free to use again once it is done. */
const id = z.string().min(1).max(128)
const { return_token_ids: _unused, ...sampling } = samplingFields

export const StartMessage = z.strictObject({
  type: z.literal('start'),
  id,
  model: z.string(),
  messages: InputMessages,
  max_tokens: z.int().min(0).nullish(),
  ...sampling,
  ...steeringFields,
})
export type StartMessage = z.infer<typeof StartMessage>

/** Follows a job: its events after `after`, then those to come. */
export const WatchJobMessage = z.strictObject({
  type: z.literal('watch_job'),
  id,
  job: z.uuid(),
  after: z.int().min(0).nullish(),
})
export type WatchJobMessage = z.infer<typeof WatchJobMessage>

export const ClientMessage = z.discriminatedUnion('type', [
  StartMessage,
  z.strictObject({ type: z.literal('cancel'), id }),
  WatchJobMessage,
  z.strictObject({ type: z.literal('unwatch_job'), id }),
  z.strictObject({ type: z.literal('ping') }),
  ...npcClientMessages,
])
export type ClientMessage = z.infer<typeof ClientMessage>

export const ServerMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('started'),
    id,
    /** The values the reply is written for, defaults included. */
    requested: AttributeValues,
  }),
  z.strictObject({
    type: z.literal('delta'),
    id,
    /** 0, 1, 2, … within the stream. */
    seq: z.int(),
    text: z.string(),
  }),
  z.strictObject({
    type: z.literal('done'),
    id,
    /** `cancelled` answers a `cancel`. */
    finish_reason: z.enum([...FinishReason.options, 'cancelled']),
    /** null when the stream was cancelled. */
    usage: Usage.nullable(),
    requested: AttributeValues,
    achieved: AttributeValues.nullable(),
  }),
  z.strictObject({
    type: z.literal('error'),
    /** null when the message at fault names no stream. */
    id: z.string().nullable(),
    code: z.string(),
    message: z.string(),
    param: z.string().nullable(),
  }),
  z.strictObject({ type: z.literal('job_event'), id, job: z.string(), event: JobEvent }),
  /** The job is over; `job` is what it has become. */
  z.strictObject({ type: z.literal('job_done'), id, job: Job }),
  z.strictObject({ type: z.literal('pong') }),
  ...npcServerMessages,
])
export type ServerMessage = z.infer<typeof ServerMessage>
