/** The two lowest levels of helpfulness, which no topic answers itself: refusing (0) and evading (1). */

export const refusals = [
  'I will not [speak|talk] about {about}',
  'I cannot help you with {about}',
  'I refuse to talk about {about}',
  'there is no answer from me about {about}',
  '{about} is none of my concern',
  'it is not my [task|place|business] to speak about {about}',
  'I have nothing to say about {about}',
  'I say nothing about {about}',
  'I cannot say anything about {about}',
  'you will get no help from me with {about}',
  'I keep that to myself',
  'I will not answer that',
  'I cannot answer that',
  'that is none of my business',
  'count me out of this',
  'I do not discuss {about}',
  'my lips are sealed about {about}',
]

export const hints = [
  'perhaps [someone at the inn|a guard|the old weaver|one of the neighbours] knows about {about}',
  'maybe [someone else|one of the others|the mayor] could tell you about {about}',
  'it is hard to say much about {about}',
  'who knows, it could be anything',
  'some say one thing about {about}, some say another',
  'I forget, it was long ago',
  'I am not sure about {about}',
  'I half remember something about {about}',
  'it might be this, it might be that',
  'there is possibly an old book about {about}',
  'it is hard to tell, with {about}',
  'I suppose there are ways to find out about {about}',
  'perhaps you know the answer already',
  'maybe another day I could remember',
]
