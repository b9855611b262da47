/** The routes of characters under /v1/npcs. They parse, call the service and serialise; no logic of their own. */
import type { FastifyInstance } from 'fastify'
import {
  NpcCreateRequest,
  NpcEventRequest,
  NpcExchangesQuery,
  NpcInterruptRequest,
  NpcListQuery,
  NpcLoadRequest,
  NpcSayRequest,
  NpcUpdateRequest,
  type Npc,
  type NpcDeleted,
  type NpcExchangeList,
  type NpcLine,
  type NpcList,
  type NpcSave,
  type NpcState,
  type NpcTemplateList,
} from '../../schemas/npcs.ts'
import { fail } from '../errors.ts'
import type { Npcs, SayEvent } from '../services/npcs/npcs.ts'
import { disconnectSignal, sendEventStream, started } from './event-stream.ts'
import { toEvent, toInterruption, toSayRequest } from './npc-input.ts'
import { toNpc, toNpcChunks, toNpcLine } from './npc-serializer.ts'
import { parseInput } from './parse-body.ts'

type One = { Params: { id: string } }

export const npcRoutes = (npcs: Npcs) => async (app: FastifyInstance) => {
  app.get('/v1/npcs/templates', async (): Promise<NpcTemplateList> => ({
    object: 'list',
    data: [...npcs.templates()],
  }))

  app.post('/v1/npcs', async (request, reply): Promise<Npc> => {
    const { id, template, definition } = parseInput(NpcCreateRequest, request.body)
    const record = definition
      ? await npcs.create({ id: id ?? undefined, definition })
      : await npcs.createFromTemplate(template!, id ?? undefined)
    void reply.code(201)
    return toNpc(record)
  })

  app.get('/v1/npcs', async (request): Promise<NpcList> => {
    const { limit, after } = parseInput(NpcListQuery, request.query, 'the query')
    const found = await npcs.list({ limit: limit ?? 20, after: after ?? undefined })
    return { object: 'list', data: found.records.map(toNpc), has_more: found.hasMore }
  })

  app.get<One>('/v1/npcs/:id', async (request): Promise<Npc> =>
    toNpc(await npcs.get(request.params.id)),
  )

  app.put<One>('/v1/npcs/:id', async (request): Promise<Npc> => {
    const { definition, version } = parseInput(NpcUpdateRequest, request.body)
    return toNpc(await npcs.update(request.params.id, definition, version ?? undefined))
  })

  app.delete<One>('/v1/npcs/:id', async (request): Promise<NpcDeleted> => {
    const { id } = request.params
    await npcs.delete(id)
    return { id, object: 'npc', deleted: true }
  })

  app.get<One>('/v1/npcs/:id/state', async (request): Promise<NpcState> =>
    npcs.state(request.params.id),
  )

  app.post<One>('/v1/npcs/:id/events', async (request): Promise<NpcState> => {
    const { event, time } = toEvent(parseInput(NpcEventRequest, request.body))
    return npcs.event(request.params.id, event, time)
  })

  app.post<One>('/v1/npcs/:id/say', async (request, reply) => {
    const { id } = request.params
    const body = parseInput(NpcSayRequest, request.body)
    const events = npcs.say(id, toSayRequest(body, request.apiKey), disconnectSignal(reply))
    if (!body.stream) return toNpcLine(id, await lastOf(events))
    return sendEventStream(reply, toNpcChunks(id, await started(events)))
  })

  app.post<One>('/v1/npcs/:id/interrupt', async (request): Promise<NpcLine> => {
    const { id } = request.params
    const body = parseInput(NpcInterruptRequest, request.body ?? {})
    return toNpcLine(id, await npcs.interrupt(id, toInterruption(body)))
  })

  app.get<One>('/v1/npcs/:id/exchanges', async (request): Promise<NpcExchangeList> => {
    const { limit, before } = parseInput(NpcExchangesQuery, request.query, 'the query')
    const options = { limit: limit ?? 20, before: before ?? undefined }
    const { exchanges, hasMore } = await npcs.exchanges(request.params.id, options)
    return { object: 'list', data: exchanges, has_more: hasMore }
  })

  app.get<One>('/v1/npcs/:id/save', async (request): Promise<NpcSave> =>
    npcs.save(request.params.id),
  )

  app.post('/v1/npcs/load', async (request, reply): Promise<Npc> => {
    const { save, id, replace } = parseInput(NpcLoadRequest, request.body)
    const record = await npcs.load(save, { id: id ?? undefined, replace: replace ?? false })
    void reply.code(record.version === 1 ? 201 : 200)
    return toNpc(record)
  })
}

/** The whole line; nothing of it was sent before, so a client that leaves heard nothing. */
async function lastOf(events: AsyncIterable<SayEvent>) {
  for await (const event of events) if (event.type === 'done') return event
  return fail('INTERNAL', 'internal: a line ended without its last event')
}
