/** /v1/jobs: create, list, look, cancel, retry, delete, follow. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import {
  CreateJobRequest,
  CreatePipelineRequest,
  JobEventsQuery,
  JobsQuery,
  type Job,
  type JobDeleted,
  type JobEventList,
  type JobList,
} from '../../schemas/jobs.ts'
import { fail } from '../errors.ts'
import { isTerminal, type StoredEvent } from '../jobs/job-store.ts'
import type { JobService } from '../services/job-service.ts'
import { disconnectSignal, sendNumberedStream, type NumberedFrame } from './event-stream.ts'
import { toJob, toJobEvent } from './job-serializer.ts'
import { parseInput } from './parse-body.ts'

type WithId = { Params: { id: string } }

/** The key that asked, where the server checks keys. */
export const keyIdOf = (request: FastifyRequest): string | null =>
  (request as { apiKey?: { id?: string | null } | null }).apiKey?.id ?? null

/** An id that cannot be one names no job. */
export function jobId(text: string): string {
  if (z.uuid().safeParse(text).success) return text
  return fail('JOB_NOT_FOUND', `"${text.slice(0, 100)}"`)
}

export const jobRoutes = (jobs: JobService) => async (app: FastifyInstance) => {
  app.post('/v1/jobs', async (request, reply): Promise<Job | JobList> => {
    const { body } = request
    const isPipeline = typeof body === 'object' && body !== null && 'pipeline' in body
    void reply.code(201)
    if (!isPipeline)
      return toJob(await jobs.create(parseInput(CreateJobRequest, body), keyIdOf(request)))
    const created = await jobs.createPipeline(
      parseInput(CreatePipelineRequest, body),
      keyIdOf(request),
    )
    return { object: 'list', data: created.map(toJob) }
  })

  app.get('/v1/jobs', async (request): Promise<JobList> => {
    const query = parseInput(JobsQuery, request.query, 'the query')
    const { limit = 20, pipeline_id: pipelineId, ...filter } = query
    const found = await jobs.list({ ...filter, pipelineId, limit: limit + 1 })
    return {
      object: 'list',
      data: found.slice(0, limit).map(toJob),
      has_more: found.length > limit,
    }
  })

  app.get<WithId>('/v1/jobs/:id', async ({ params }): Promise<Job> =>
    toJob(await jobs.get(jobId(params.id))),
  )

  app.post<WithId>('/v1/jobs/:id/cancel', async ({ params }): Promise<Job> =>
    toJob(await jobs.cancel(jobId(params.id))),
  )

  app.post<WithId>('/v1/jobs/:id/retry', async ({ params }): Promise<Job> =>
    toJob(await jobs.retry(jobId(params.id))),
  )

  app.delete<WithId>('/v1/jobs/:id', async ({ params }): Promise<JobDeleted> => {
    await jobs.delete(jobId(params.id))
    return { id: params.id, object: 'job', deleted: true }
  })

  app.get<WithId>('/v1/jobs/:id/events', async (request, reply) => {
    const { format, after, limit = 1_000 } = parseInput(JobEventsQuery, request.query, 'the query')
    const id = jobId(request.params.id)
    if (format === 'json') return eventList(jobs, id, after ?? 0, limit)
    return followEvents(jobs, id, after ?? lastEventId(request), reply)
  })
}

async function eventList(
  jobs: JobService,
  id: string,
  after: number,
  limit: number,
): Promise<JobEventList> {
  await jobs.get(id)
  const events = await jobs.events(id, after, limit + 1)
  const data = events.slice(0, limit).map(toJobEvent)
  return { object: 'list', data, has_more: events.length > limit }
}

/** What a browser's EventSource says when it connects again. */
function lastEventId(request: FastifyRequest): number {
  const given = request.headers['last-event-id']
  return typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : 0
}

async function followEvents(
  jobs: JobService,
  id: string,
  after: number,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { status } = await jobs.get(id)
  const rest = isTerminal(status) ? await jobs.events(id, after, 1) : null
  // 204 tells an EventSource that has seen everything not to connect again.
  if (rest?.length === 0) return reply.code(204).send()
  return sendNumberedStream(reply, frames(jobs.watch(id, after, disconnectSignal(reply))))
}

async function* frames(events: AsyncIterable<StoredEvent>): AsyncGenerator<NumberedFrame> {
  for await (const event of events) yield { id: event.seq, data: toJobEvent(event) }
}
