/** POST /v1/embeddings. Parses, calls the model, serialises. */
import type { FastifyInstance } from 'fastify'
import { EmbeddingRequest, type EmbeddingList } from '../../schemas/embeddings.ts'
import { fail } from '../errors.ts'
import type { SpendTokens } from '../services/metered-generator.ts'
import type { Models } from '../services/models.ts'
import type { EmbeddingInput } from '../services/runtime-types.ts'
import { disconnectSignal } from './event-stream.ts'
import { parseInput } from './parse-body.ts'

export const embeddingRoutes =
  (models: Models, spend?: SpendTokens) => async (app: FastifyInstance) => {
    app.post('/v1/embeddings', async (request, reply): Promise<EmbeddingList> => {
      const body = parseInput(EmbeddingRequest, request.body)
      const options = { pooling: body.pooling ?? undefined }
      const model = models.get(body.model)
      const { vectors, tokens } = await model.embed(
        toInputs(body.input),
        options,
        disconnectSignal(reply),
      )
      if (request.apiKey) spend?.(request.apiKey, { promptTokens: tokens, completionTokens: 0 })
      return {
        object: 'list',
        model: body.model,
        data: vectors.map((vector, index) => ({
          object: 'embedding',
          index,
          embedding: encode(shortened(vector, body.dimensions), body.encoding_format),
        })),
        usage: { prompt_tokens: tokens, total_tokens: tokens },
      }
    })
  }

/** A list of numbers is one input of token ids. */
function toInputs(input: EmbeddingRequest['input']): EmbeddingInput[] {
  if (typeof input === 'string') return [{ text: input }]
  if (typeof input[0] === 'number') return [{ tokens: input as number[] }]
  return (input as (string | number[])[]).map((item) =>
    typeof item === 'string' ? { text: item } : { tokens: item },
  )
}

/** The first numbers, of length 1 again. */
function shortened(vector: Float32Array, dimensions: number | null | undefined): Float32Array {
  if (dimensions == null) return vector
  if (dimensions > vector.length) {
    const detail = `dimensions: expected at most ${vector.length}, the model's hidden size, got ${dimensions}`
    fail('BAD_REQUEST', detail, { param: 'dimensions' })
  }
  const part = vector.slice(0, dimensions)
  const length = Math.hypot(...part)
  return length === 0 ? part : part.map((value) => value / length)
}

function encode(
  vector: Float32Array,
  format: EmbeddingRequest['encoding_format'],
): number[] | string {
  if (format !== 'base64') return [...vector]
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, i) => bytes.writeFloatLE(value, i * 4))
  return bytes.toString('base64')
}
