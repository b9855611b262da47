/** What the service of characters takes and gives; `npcs.ts` does it. */
import type { Caller } from '../keys.ts'
import type {
  NpcAction,
  NpcDefinition,
  NpcExchange,
  NpcSave,
  NpcState,
} from '../../../schemas/npcs.ts'
import type { GenerationRequest } from '../generation-types.ts'
import type { TextUsage } from '../runtime-types.ts'
import type { CharacterEvent } from './character-state.ts'
import type { NpcRecord } from './npc-store.ts'

export interface SayRequest extends Pick<GenerationRequest, 'verify' | 'guidance' | 'avoid'> {
  message: string
  seed?: number
  temperature?: number
  maxTokens?: number
  /** Have the attribute model measure the line, where one is served. */
  measure: boolean
  /** With a game clock only. */
  time?: number
  /** Whose limits and usage the line counts for. */
  caller?: Caller | null
}

export interface LineStart {
  exchange: number
  attributes: Record<string, number>
  events: string[]
  actions: NpcAction[]
}

export interface Line extends LineStart {
  line: string
  finishReason: 'stop' | 'length' | 'interrupted'
  achieved: Record<string, number> | null
  state: NpcState
  /** null for an interrupted line. */
  usage: TextUsage | null
}

export type SayEvent =
  | ({ type: 'start' } & LineStart)
  | { type: 'delta'; text: string }
  /** Always last. What it tells is stored. */
  | ({ type: 'done' } & Line)

export interface Interruption {
  /** The text that was heard, or its length in UTF-16 units; everything sent unless given. */
  heard?: string | number
  /** The exchange under way, else the last one, unless given. */
  exchange?: number
}

export interface NewNpc {
  id?: string
  definition: NpcDefinition
  keyId?: string | null
}

export interface Npcs {
  templates(): readonly { id: string; definition: NpcDefinition }[]
  create(npc: NewNpc): Promise<NpcRecord>
  createFromTemplate(template: string, id?: string, keyId?: string | null): Promise<NpcRecord>
  list(options: {
    limit: number
    after?: string
  }): Promise<{ records: NpcRecord[]; hasMore: boolean }>
  get(id: string): Promise<NpcRecord>
  /** Another definition for the same life. Fails NPC_CHANGED when `version` is no longer the stored one. */
  update(id: string, definition: NpcDefinition, version?: number): Promise<NpcRecord>
  delete(id: string): Promise<void>
  state(id: string): Promise<NpcState>
  /** Takes effect at once, also while a line is being written. */
  event(id: string, event: CharacterEvent, time?: number): Promise<NpcState>
  /**
   * One line at a time per character, in the order of asking. Before the first event it fails for everything that is
   * wrong with the request; a line that fails changes nothing. After an abort, or when the caller leaves the iteration,
   * the part that was handed out counts as heard; if that is nothing, nothing was said.
   */
  say(id: string, request: SayRequest, signal?: AbortSignal): AsyncGenerator<SayEvent, void, void>
  /** Stops the line under way, or shortens a line that is finished. Fails NOT_FOUND without such a line. */
  interrupt(id: string, interruption: Interruption): Promise<Line>
  exchanges(
    id: string,
    options: { limit: number; before?: number },
  ): Promise<{ exchanges: NpcExchange[]; hasMore: boolean }>
  save(id: string): Promise<NpcSave>
  load(
    save: NpcSave,
    options: { id?: string; replace?: boolean; keyId?: string | null },
  ): Promise<NpcRecord>
}
