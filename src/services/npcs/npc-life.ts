/**
 * A stored character together with what its definition means for the model it speaks with: its time, its state as
 * clients see it. Pure but for the clock that is handed in.
 */
import type { NpcState } from '../../../schemas/npcs.ts'
import { fail } from '../../errors.ts'
import type { Models } from '../models.ts'
import type { ModelRuntime } from '../runtime-types.ts'
import {
  actionsAt,
  advance,
  attributesAt,
  remaining,
  variablesAt,
  type CharacterState,
} from './character-state.ts'
import { buildCharacter, type Character } from './character.ts'
import type { NpcRecord } from './npc-store.ts'

export interface Life {
  readonly character: Character
  readonly model: ModelRuntime
}

/** Fails MODEL_NOT_FOUND, MODEL_NOT_GENERATIVE, and as `buildCharacter` does. */
export function lifeOf(definition: NpcRecord['definition'], models: Models): Life {
  const model =
    definition.model == null
      ? models.getGenerative(models.default().info.id)
      : models.getGenerative(definition.model)
  return { character: buildCharacter(definition, model.info.attributes), model }
}

/** The character's time now, in seconds, never before its last change. Fails BAD_REQUEST for a `time` it does not take. */
export function timeOf(record: NpcRecord, nowMs: number, given?: number): number {
  if (record.definition.clock === 'game') return Math.max(record.state.time, given ?? 0)
  if (given !== undefined) {
    fail('BAD_REQUEST', 'time: only a character with clock "game" is told the time', {
      param: 'time',
    })
  }
  return Math.max(record.state.time, (nowMs - record.epochMs) / 1000)
}

/** The character at a time, as clients see it. */
export function describeState(
  { character }: Life,
  record: Pick<NpcRecord, 'id' | 'version' | 'state'>,
  time: number,
): NpcState {
  const state = advance(record.state, time)
  const now = state.time
  return {
    object: 'npc.state',
    id: record.id,
    version: record.version,
    time: round(now),
    variables: describeVariables(character, state),
    attributes: attributesAt(character, state, now),
    effects: state.effects.map((effect) => ({
      event: effect.event,
      target: effect.target,
      amount: effect.amount,
      now: round(remaining(effect, now)),
      age_s: round(now - effect.at),
    })),
    actions: actionsAt(character, state, now),
    exchanges: state.exchanges,
    remembered_from: state.remembered_from,
  }
}

function describeVariables(character: Character, state: CharacterState): NpcState['variables'] {
  const values = variablesAt(character, state, state.time)
  return Object.fromEntries(
    [...character.variables.values()].map(({ name, min, max, baseline }) => [
      name,
      { value: round(values[name]!), min, max, baseline },
    ]),
  )
}

const round = (value: number): number => Math.round(value * 1e4) / 1e4
