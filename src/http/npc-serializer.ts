/** Characters and their lines as the API shows them. */
import type { Npc, NpcLine, NpcLineChunk } from '../../schemas/npcs.ts'
import type { NpcRecord } from '../services/npcs/npc-store.ts'
import type { Line, LineStart, SayEvent } from '../services/npcs/npcs.ts'
import { toUsage } from './chat-serializer.ts'

export function toNpc(record: NpcRecord): Npc {
  return {
    id: record.id,
    object: 'npc',
    name: record.definition.name,
    version: record.version,
    created_at: Math.floor(record.createdAtMs / 1000),
    updated_at: Math.floor(record.updatedAtMs / 1000),
    definition: record.definition,
  }
}

/** What a line and a socket's `npc_done` share. */
export function lineFields(line: Line) {
  return {
    ...startFields(line),
    line: line.line,
    finish_reason: line.finishReason,
    achieved: line.achieved,
    state: line.state,
    usage: line.usage && toUsage(line.usage),
  }
}

export function startFields({ exchange, attributes, events, actions }: LineStart) {
  return { exchange, attributes, events, actions }
}

export function toNpcLine(npc: string, line: Line): NpcLine {
  return { object: 'npc.line', npc, ...lineFields(line) }
}

export async function* toNpcChunks(
  npc: string,
  events: AsyncIterable<SayEvent>,
): AsyncGenerator<NpcLineChunk> {
  for await (const event of events) {
    if (event.type === 'start') yield { object: 'npc.line.start', npc, ...startFields(event) }
    else if (event.type === 'delta') yield { object: 'npc.line.delta', npc, text: event.text }
    else yield toNpcLine(npc, event)
  }
}
