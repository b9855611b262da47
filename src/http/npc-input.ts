/** Bodies and messages about characters in the service's terms: snake_case to camelCase, null to unset. */
import type {
  NpcClientMessage,
  NpcEventRequest,
  NpcInterruptRequest,
  NpcSayRequest,
} from '../../schemas/npcs.ts'
import { toSteering } from './generation-input.ts'
import type { Caller } from '../services/keys.ts'
import type { CharacterEvent } from '../services/npcs/character-state.ts'
import type { Interruption, SayRequest } from '../services/npcs/npcs.ts'

type SayBody = NpcSayRequest | Extract<NpcClientMessage, { type: 'npc_say' }>

export function toSayRequest(body: SayBody, caller: Caller | null): SayRequest {
  return {
    caller,
    message: body.message,
    seed: body.seed ?? undefined,
    temperature: body.temperature ?? undefined,
    maxTokens: body.max_tokens ?? undefined,
    ...toSteering(body.steering),
    measure: body.measure ?? true,
    time: body.time ?? undefined,
  }
}

export function toEvent({ type, data, time }: NpcEventRequest): {
  event: CharacterEvent
  time?: number
} {
  return { event: { type, ...(data && { data }) }, time: time ?? undefined }
}

export function toInterruption(body: NpcInterruptRequest): Interruption {
  return { heard: body.heard ?? undefined, exchange: body.exchange ?? undefined }
}
