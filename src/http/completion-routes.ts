/** POST /v1/completions, plain and streamed. Parses, calls the service, serialises; no logic of its own. */
import type { FastifyInstance } from 'fastify'
import { CompletionRequest } from '../../schemas/completions.ts'
import type { Models } from '../services/models.ts'
import type { Generator } from '../services/generator.ts'
import { toCompletion, toCompletionChunks } from './completion-serializer.ts'
import { disconnectSignal, sendEventStream, started } from './event-stream.ts'
import { completionGeneration } from './generation-input.ts'
import { parseInput } from './parse-body.ts'

export const completionRoutes =
  (generator: Generator, models: Models) => async (app: FastifyInstance) => {
    app.post('/v1/completions', async (request, reply) => {
      const body = parseInput(CompletionRequest, request.body)
      const generation = {
        ...completionGeneration(body),
        caller: request.apiKey,
        address: request.ip,
      }
      const signal = disconnectSignal(reply)
      const options = {
        model: body.model,
        withTokenIds: body.return_token_ids === true,
        idsForTokens: body.return_tokens_as_token_ids === true,
      }
      if (!body.stream) return toCompletion(await generator.complete(generation, signal), options)
      const events = await started(generator.stream(generation, signal), models.get(body.model))
      const pingSeconds = body.sse_ping_interval ?? undefined
      const withUsage = body.stream_options?.include_usage === true
      return sendEventStream(
        reply,
        toCompletionChunks(events, { ...options, withUsage }),
        pingSeconds,
      )
    })
  }
