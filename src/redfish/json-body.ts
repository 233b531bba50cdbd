import { fail, type Result, succeed } from '../lib/result.ts'
import { type Message, message } from './messages/message.ts'
import type { Json } from './resource.ts'

/** Nothing that Redfish knows is nested half as deep; what walks a body may do so by calling itself. */
export const MAX_JSON_DEPTH = 64

/** What a client's JSON says, unless it is none, or is nested too deep to be looked at. */
export function readJson(text: string): Result<Json, Message> {
  if (isTooDeep(text)) return fail(message('Base.UnrecognizedRequestBody'))
  try {
    return succeed(JSON.parse(text) as Json)
  } catch {
    return fail(message('Base.MalformedJSON'))
  }
}

/** Looked at before it is parsed; brackets within strings do not count. */
function isTooDeep(text: string): boolean {
  let depth = 0
  let isString = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (isString) {
      if (char === '\\') at++
      else if (char === '"') isString = false
    } else if (char === '"') isString = true
    else if (char === '[' || char === '{') {
      depth++
      if (depth > MAX_JSON_DEPTH) return true
    } else if (char === ']' || char === '}') depth--
  }
  return false
}
