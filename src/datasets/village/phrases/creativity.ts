/** Creativity: the number of images – 0 plain, 1 a touch, 2 a simile, 3 a rich one, 4 a double one. */
import type { Level } from '../levels.ts'

const noun =
  '[moonlight|starlight|silk|velvet|honey|embers|feathers|ribbons|dew|petals|pearls|amber|stardust|snowflakes|dreams]'
const thing =
  '[lullaby|harp|rainbow|butterfly|comet|dream|melody|whisper|swan|feather|ribbon|pearl]'
const verb = '[shimmers|glimmers|drifts|dances|whispers|blooms|sparkles]'
const adjective = '[golden|moonlit|starlit|crystal|velvet|gilded]'
/** What is painted: a thing of the topic, or the day around the speakers. */
const subject =
  '[the road|the valley|the evening|this day|your voice|the air|the sky|{image}|{image}|{image}]'

const ones = [
  `it all feels [${adjective}|like a ${thing}] somehow.`,
  `${subject} ${verb} [today|a little|at this hour].`,
  `it is a ${adjective} [day|hour|thought].`,
  `what a ${adjective} [day|hour|thought].`,
  `${subject} is soft as ${noun}.`,
  `${subject} feels like a ${thing}.`,
  `there is a ${thing} in the air.`,
]
const twos = [
  `${noun} and ${noun}, that is ${subject}.`,
  `think of ${noun} on a ${thing}.`,
  `${subject} ${verb} like ${noun} on the water.`,
  `${subject} ${verb} like a ${thing}.`,
  `${subject} is a ${thing} made of ${noun}.`,
  `${subject} is like ${noun} wrapped in ${noun}.`,
  `like a ${adjective} ${thing}, ${subject} stays with you.`,
  `${subject} is a ${adjective} ${thing}.`,
]
const threes = [
  `${noun} on ${noun}, soft as a ${thing}.`,
  `a ${thing} of ${noun} ${verb} in my words.`,
  `${subject} ${verb} like ${noun} on ${noun}.`,
  `${subject} ${verb} like a ${thing} made of ${noun}.`,
  `${subject} is a ${adjective} ${thing} of ${noun}.`,
  `like a ${thing} of ${noun}, ${subject} ${verb}.`,
  `${subject} ${verb} like a ${adjective} ${thing}.`,
]
const fours = [
  `${noun} on ${noun}, ${noun} on ${noun}.`,
  `${noun} and ${noun}, a ${adjective} ${thing}.`,
  `a ${thing} of ${noun}, a ${adjective} ${thing}.`,
  `${subject} ${verb} like ${noun} and ${verb} like a ${thing}.`,
  `${subject} is a ${thing} of ${noun}, a ${thing} of ${noun}.`,
  `${subject} ${verb} like a ${adjective} ${thing} of ${noun}.`,
  `like a ${thing} of ${noun}, ${subject} ${verb} on ${noun}.`,
  `${subject} is a ${adjective} ${thing} on ${adjective} ${noun}.`,
  `${subject} ${verb} like ${noun} on ${noun}, soft as a ${thing} of ${noun}.`,
]

export const imageForms: Readonly<Record<Level, readonly string[]>> = {
  0: [],
  1: ones,
  2: twos,
  3: threes,
  4: fours,
}
