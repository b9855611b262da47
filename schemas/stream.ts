/** Messages of the WebSocket `/v1/stream`, one JSON object per text frame (`docs/websocket.md`). */
import { z } from 'zod'
import { AttributeValues } from './attributes.ts'
import {
  FinishReason,
  InputMessages,
  SteeringReport,
  SteeringWarning,
  Usage,
  samplingFields,
  steeringFields,
} from './common.ts'
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
  /** The stream outlives this socket for a while: `started` brings the token that `attach` needs. */
  resumable: z.boolean().nullish(),
  ...sampling,
  ...steeringFields,
})
export type StartMessage = z.infer<typeof StartMessage>

/** Fields that a change of a stream takes; attributes and steering left out stay as they are. */
const changeFields = {
  id,
  /** The values that are to change. */
  attributes: steeringFields.attributes,
  steering: steeringFields.steering,
}
/** Of a change that writes text anew. */
const rewriteFields = {
  ...changeFields,
  seed: samplingFields.seed,
  /** Of the whole reply. */
  max_tokens: z.int().min(0).nullish(),
}

/** What changes a stream that was started. */
export const StreamChangeMessage = z.discriminatedUnion('type', [
  /** New values from the next token on; the text so far stays. */
  z.strictObject({ type: z.literal('steer'), ...changeFields }),
  /** Nothing more is written until `resume`. */
  z.strictObject({ type: z.literal('pause'), id }),
  z.strictObject({ type: z.literal('resume'), id }),
  z.strictObject({ type: z.literal('cancel'), id }),
  /** Writes the reply anew from a point, with another seed unless one is given; a finished reply, too. */
  z.strictObject({
    type: z.literal('regenerate'),
    ...rewriteFields,
    /** Text to keep, in UTF-16 units as JavaScript counts; cut back to a token's end. 0 unless given. */
    at: z.int().min(0).nullish(),
  }),
  /** Puts a text in the place of the reply so far, and goes on from there; of a finished reply, too. */
  z.strictObject({ type: z.literal('edit'), ...rewriteFields, text: z.string() }),
])
export type StreamChangeMessage = z.infer<typeof StreamChangeMessage>

/** Goes on with a resumable stream on another socket. */
export const AttachMessage = z.strictObject({
  type: z.literal('attach'),
  id,
  /** The token that `started` brought. */
  stream: z.string().max(128),
  /** The last `seq` seen, −1 for `started`; everything from the start unless given. */
  after: z.int().min(-1).nullish(),
})
export type AttachMessage = z.infer<typeof AttachMessage>

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
  ...StreamChangeMessage.options,
  AttachMessage,
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
    /** Of a resumable stream: the token for `attach`. To be kept secret. */
    stream: z.string().optional(),
    warnings: z.array(SteeringWarning).optional(),
  }),
  z.strictObject({
    type: z.literal('delta'),
    id,
    /** 0, 1, 2, … within the stream, counted over all of its messages after `started`. */
    seq: z.int(),
    text: z.string(),
  }),
  /** The answer to `steer`, `regenerate` and `edit`. */
  z.strictObject({
    type: z.literal('continued'),
    id,
    seq: z.int(),
    by: z.enum(['steer', 'regenerate', 'edit']),
    /** So many UTF-16 units of the text stay; the next delta goes on from there. */
    at: z.int(),
    requested: AttributeValues,
  }),
  z.strictObject({ type: z.literal('paused'), id, seq: z.int() }),
  z.strictObject({ type: z.literal('resumed'), id, seq: z.int() }),
  /** The answer to `attach`; what was missed follows. */
  z.strictObject({ type: z.literal('attached'), id }),
  /** Another socket has taken the stream. */
  z.strictObject({ type: z.literal('detached'), id }),
  z.strictObject({
    type: z.literal('done'),
    id,
    seq: z.int(),
    /** `cancelled` answers a `cancel`. */
    finish_reason: z.enum([...FinishReason.options, 'cancelled']),
    /** null when the stream was cancelled. */
    usage: Usage.nullable(),
    requested: AttributeValues,
    achieved: AttributeValues.nullable(),
    /** All that is known of the steering; absent when the stream was cancelled, or nothing steers it. */
    steering: SteeringReport.optional(),
  }),
  z.strictObject({
    type: z.literal('error'),
    /** null when the message at fault names no stream. */
    id: z.string().nullable(),
    code: z.string(),
    message: z.string(),
    param: z.string().nullable(),
    /** Of a reply that ended with this error. */
    seq: z.int().optional(),
    /** The message that failed, where the stream goes on without it. */
    about: z.string().optional(),
  }),
  z.strictObject({ type: z.literal('job_event'), id, job: z.string(), event: JobEvent }),
  /** The job is over; `job` is what it has become. */
  z.strictObject({ type: z.literal('job_done'), id, job: Job }),
  z.strictObject({ type: z.literal('pong') }),
  ...npcServerMessages,
])
export type ServerMessage = z.infer<typeof ServerMessage>
