/** What every thing of the village has in common: an id, and the words its phrases are filled with. */
import type { Slots } from '../phrase.ts'

export interface Entity {
  readonly id: string
  readonly slots: Slots
}

/** The verb forms and pronouns of a noun phrase, as slots: "they" is the subject form, "them" the object. */
export function agreement(plural: boolean): Slots {
  return plural
    ? { is: 'are', does: 'do', s: '', they: 'they', them: 'them', was: 'were' }
    : { is: 'is', does: 'does', s: 's', they: 'it', them: 'it', was: 'was' }
}
