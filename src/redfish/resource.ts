import { lastSegment } from './uris.ts'
import { type ResourceTypeName, resourceTypes } from './types.gen.ts'

/** A JSON value; members that are `undefined` are left out when it is written. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json | undefined
}

export type Link = { readonly '@odata.id': string }

/** A resource's representation: what a GET of its `@odata.id` answers. */
export interface Resource extends JsonObject {
  readonly '@odata.id': string
  readonly '@odata.type': string
}

/** The four members that every resource has; `Id` is the last segment of its URI unless given. */
export function resource(type: ResourceTypeName, uri: string, name: string, id = lastSegment(uri)) {
  return { '@odata.id': uri, '@odata.type': odataType(type), Id: id, Name: name } as const
}

/** A resource collection with its members in the given order. */
export function collection(type: ResourceTypeName, uri: string, name: string, members: readonly string[]) {
  return {
    '@odata.id': uri,
    '@odata.type': odataType(type),
    Name: name,
    'Members@odata.count': members.length,
    Members: members.map(link),
  } as const
}

/** The `@odata.type` of the newest version of a type. */
export function odataType(type: ResourceTypeName): string {
  return `#${resourceTypes[type]}`
}

export function link(uri: string): Link {
  return { '@odata.id': uri }
}

/** Whether a resource is a collection, going by its type; `Members` of other resources are something else. */
export function isCollection(value: Resource): value is Resource & { readonly Members: readonly Json[] } {
  return value['@odata.type'].endsWith('Collection') && Array.isArray(value['Members'])
}

/** Narrows a JSON value to an object with members. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The URIs of an array of links; anything else in it is passed over. */
export function linkUris(value: unknown): string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item: unknown) => {
    const uri = isObject(item) ? item['@odata.id'] : undefined
    return typeof uri === 'string' ? [uri] : []
  })
}
