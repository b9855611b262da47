/** Small clients of an application under test. */
import type { FastifyInstance } from 'fastify'

export const postJson = (app: FastifyInstance, url: string, payload: object) =>
  app.inject({ method: 'POST', url, payload })

/** The data of server-sent events; comments are skipped. */
export function readFrames(payload: string): string[] {
  return payload
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => block.slice('data: '.length))
}
