import { isObject, type Json, type JsonObject } from './resource.ts'

/** The value that an RFC 6901 pointer names in `document`; `undefined` when it names none. */
export function getPointer(document: Json | undefined, pointer: string): Json | undefined {
  return segments(pointer).reduce<Json | undefined>((value, segment) => {
    if (Array.isArray(value)) return /^(0|[1-9]\d*)$/.test(segment) ? value[Number(segment)] : undefined
    return isObject(value) && Object.hasOwn(value, segment) ? value[segment] : undefined
  }, document)
}

/** A copy of `document` with the value at an existing pointer replaced; what does not lie on the way is shared. */
export function setPointer<T extends JsonObject>(document: T, pointer: string, value: Json): T {
  const [first, ...rest] = segments(pointer)
  if (first === undefined) return document
  return { ...document, [first]: replaced(document[first], rest, value) }
}

/** The RFC 6901 pointer to a member of what `pointer` names. */
export function memberPointer(pointer: string, name: string): string {
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function replaced(current: Json | undefined, path: readonly string[], value: Json): Json | undefined {
  const [first, ...rest] = path
  if (first === undefined) return value
  if (Array.isArray(current)) {
    return current.map((item: Json, index) =>
      String(index) === first ? (replaced(item, rest, value) ?? null) : item,
    )
  }
  return isObject(current) ? { ...current, [first]: replaced(current[first], rest, value) } : current
}

function segments(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}
