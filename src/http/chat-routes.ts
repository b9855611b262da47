/** POST /v1/chat/completions, plain and streamed. Parses, calls the service, serialises; no logic of its own. */
import type { FastifyInstance } from 'fastify'
import { ChatCompletionRequest } from '../../schemas/chat.ts'
import type { Models } from '../services/models.ts'
import type { Generator } from '../services/generator.ts'
import { toChatChunks, toChatCompletion } from './chat-serializer.ts'
import { disconnectSignal, sendEventStream, started } from './event-stream.ts'
import { chatGeneration } from './generation-input.ts'
import { parseInput } from './parse-body.ts'
import { asksForRating, rewardCompletion } from './reward-chat.ts'

export const chatRoutes =
  (generator: Generator, models: Models) => async (app: FastifyInstance) => {
    app.post('/v1/chat/completions', async (request, reply) => {
      const body = parseInput(ChatCompletionRequest, request.body)
      const generation = { ...chatGeneration(body), caller: request.apiKey, address: request.ip }
      const signal = disconnectSignal(reply)
      const model = models.get(body.model)
      if (asksForRating(model, body)) return rewardCompletion(model, body, signal)
      const options = { model: body.model, withTokenIds: body.return_token_ids === true }
      if (!body.stream)
        return toChatCompletion(await generator.complete(generation, signal), options)
      const events = await started(generator.stream(generation, signal), model)
      const pingSeconds = body.sse_ping_interval ?? undefined
      const withUsage = body.stream_options?.include_usage === true
      return sendEventStream(reply, toChatChunks(events, { ...options, withUsage }), pingSeconds)
    })
  }
