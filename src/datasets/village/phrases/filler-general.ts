/** Neutral sentences that fit any reply of any speaker, and those that open or close a long one. */
export const generalFillers = [
  'the sun [came up|rose] behind the hills this morning[. It was a red and quiet sunrise|]',
  'smoke rises from the [chimneys|roofs] of the village[. Supper is on the fire|]',
  'the harvest was [good|poor|late] this year[. People will remember it|]',
  'the river is [high|low] for this time of year[. The ferry had to wait|]',
  'the road from the city is [long and dusty|full of carts][. Few people walk it twice|]',
  'a [grey cat|brown dog|black crow] sits on the wall all day[. Nobody knows who owns it|]',
  'there is straw on the street after market day[. The children build castles from it|]',
  'the [old|young] people meet at the fountain in the evening',
  'the apples are ripe in the orchard now[. The baker takes most of them|]',
  'winter is [near|far away], but the wood is already cut',
  'the bell of the temple rang twice today[. Someone got married|]',
  'rain fell on the fields for three days[. The farmers needed it|]',
  'the birds fly south over the lake this week[. Winter comes with them|]',
  'a letter from the king was read on the square[. It was about taxes again|]',
  'children play near the [well|gate|barn] until dusk',
  'the [east|west|north] wind brings the smell of pine',
  'my neighbour has a new [roof|fence|gate][. He shows it to everyone|]',
  'at night you can see the lamps on the hill',
  'the soldiers marched by and did not stop',
  'the days have been [short|long|cold] lately',
  'there was a [fight|song|long speech] at the inn last night',
  'the fields are [green|brown|white] at this time of year',
]

/** Before a long answer; only where the topic has a name. */
export const intros = [
  'so, {about}',
  'you ask about {about}',
  'so you want to know about {about}',
  'about {about}, then',
  'people often ask me about {about}',
  'you are not the first who asks about {about}',
]

/** After a long answer. */
export const wraps = [
  'that is how things are here',
  'so much for {about}',
  'there is little to add to that',
  'that is the long version of it',
  'now you know how I see it',
  'it has always been like that',
]
