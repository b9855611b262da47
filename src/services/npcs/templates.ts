/** The example characters that come with the project: the JSON files of the folder `templates`. */
import { readFileSync, readdirSync } from 'node:fs'
import { NpcDefinition } from '../../../schemas/npcs.ts'

export interface NpcTemplate {
  id: string
  definition: NpcDefinition
}

/** By id, the name of the file. */
export function readTemplates(): NpcTemplate[] {
  const folder = new URL('templates/', import.meta.url)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      id: file.slice(0, -'.json'.length),
      definition: NpcDefinition.parse(JSON.parse(readFileSync(new URL(file, folder), 'utf8'))),
    }))
}
