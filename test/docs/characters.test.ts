/** The examples of docs/characters.md work as they stand there. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { NpcDefinition } from '../../schemas/npcs.ts'
import { buildApp } from '../../src/app.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { buildCharacter } from '../../src/services/npcs/character.ts'
import { createMemoryNpcStore } from '../../src/services/npcs/npc-store.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'

const docs = readFileSync(new URL('../../docs/characters.md', import.meta.url), 'utf8')
const block = (kind: string): string =>
  new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\`$`, 'ms').exec(docs)![1]!

t.test('the definition is valid for the village', async (t) => {
  const definition = NpcDefinition.parse(JSON.parse(block('json')))
  t.ok(buildCharacter(definition, attributeSet('village')).events.has('player.hit'))
})

t.test('the game loop plays its script to the end', async (t) => {
  const model = fakeLanguageModel(['Well, ', 'down the ', 'long road.'])
  const app = await buildApp({ runtimes: [model], npcStore: createMemoryNpcStore() })
  t.teardown(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const quick = block('js').replace('setTimeout(resolve, 100)', 'setTimeout(resolve, 5)')
  const game = spawn(process.execPath, ['--input-type=module', '-e', quick], {
    env: { ...process.env, STEERLM_URL: `http://127.0.0.1:${port}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([text(game.stdout), once(game, 'exit')])
  t.equal(code, 0)
  t.match(output, /> Where is the smithy\?/)
  t.match(output, /Well, down the long road\./)
  t.match(output, /\* frown/)
  t.match(output, /\* feels/)
  t.notMatch(output, /error/)
  t.equal((await app.inject('/v1/npcs/gatekeeper/exchanges')).json().data.length, 4)
})
