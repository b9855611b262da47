/** Illnesses and wounds: the cure, the dose, how long they last, where they come from. */
import type { Entity } from './entity.ts'

type Row = readonly [
  np: string,
  cure: string,
  dose: string,
  days: string,
  cause: string,
  reason: string,
]

const rows: readonly Row[] = [
  ['a fever', 'willow tea', 'three cups a day', 'two days', 'bad water', 'it cools the blood'],
  ['a cough', 'thyme syrup', 'a spoon at night', 'a week', 'cold air', 'it clears the chest'],
  [
    'a deep cut',
    'a clean bandage',
    'a new one each morning',
    'five days',
    'careless blades',
    'dirt slows the healing',
  ],
  ['a burn', 'aloe salve', 'twice a day', 'four days', 'hot iron', 'it cools the skin'],
  [
    'a headache',
    'mint tea',
    'one cup in the dark',
    'an hour',
    'too much sun',
    'mint calms the blood',
  ],
  [
    'a snake bite',
    'black root paste',
    'at once and again at dusk',
    'three days',
    'tall grass',
    'it draws the poison out',
  ],
  [
    'a toothache',
    'clove oil',
    'one drop on the tooth',
    'a day',
    'too much sugar',
    'it numbs the pain',
  ],
  [
    'a broken arm',
    'a wooden splint',
    'day and night',
    'six weeks',
    'a bad fall',
    'bones need rest',
  ],
  ['a rash', 'oat water', 'every morning', 'three days', 'stinging plants', 'it calms the skin'],
  [
    'a sore throat',
    'sage tea with salt',
    'every two hours',
    'two days',
    'shouting',
    'salt cleans the throat',
  ],
  [
    'a bad stomach',
    'ginger broth',
    'a small bowl at noon',
    'a day',
    'old fish',
    'ginger settles the belly',
  ],
  [
    'a sprained ankle',
    'a cold wrap',
    'until sunset',
    'a week',
    'rough roads',
    'cold stops the swelling',
  ],
  [
    'a cold',
    'onion broth',
    'a bowl each evening',
    'four days',
    'wet clothes',
    'it makes you sweat',
  ],
]

export const illnesses: readonly Entity[] = rows.map(([np, cure, dose, days, cause, reason]) => ({
  id: np.replace(/^an? /, ''),
  slots: { np, the: np.replace(/^an? /, 'the '), cure, dose, days, cause, reason },
}))
