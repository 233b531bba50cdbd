import { RedfishError } from '../errors.ts'
import { message } from '../messages/message.ts'
import { isCollection, isObject, type Json, type JsonObject, type Resource } from '../resource.ts'
import { excerpt } from './excerpt.ts'
import { expand, type Lookup } from './expand.ts'
import { type Filter, fits } from './filter.ts'
import { firstPage, page } from './page.ts'
import type { Query } from './parse.ts'
import { select } from './select.ts'

/** What a query needs beside the resource that it is asked of. */
export interface Surroundings {
  /** Other resources, as far as the requester may read them. */
  readonly lookup: Lookup
  /** The most members in one answer; 0 is no limit. */
  readonly pageSize: number
}

const forCollections = ['$filter', '$skip', '$top', 'only']

/**
 * What a GET with query options answers, worked out in the order of DSP0266: filter, skip, top, the service's own
 * paging, expand, excerpt, select. Throws a RedfishError (400) for options that do not fit the resource.
 */
export function applyQuery(resource: Resource, query: Query, { lookup, pageSize }: Surroundings): Resource {
  if (!isCollection(resource) && query.given.some((name) => forCollections.includes(name))) {
    throw new RedfishError(400, message('Base.QueryNotSupportedOnResource'))
  }
  if (query.only) return onlyMember(resource, lookup) ?? firstPage(resource, pageSize)
  const { filter, skip, top, carried } = query
  const paged = page(resource, {
    skip,
    top,
    pageSize,
    otherOptions: carried,
    ...(filter && { keep: (member: Json) => isKept(member, filter, lookup) }),
  })
  const expanded = query.expand ? expand(paged, query.expand, lookup) : paged
  const excerpted = query.excerpt ? excerpt(expanded) : expanded
  return query.select ? select(excerpted, query.select) : excerpted
}

/** Whether the answer shows nothing but the resource's own properties, so that the resource's ETag speaks for it. */
export function isAboutOneResource({ expand: expanded, filter, skip, top, only }: Query): boolean {
  return expanded === undefined && filter === undefined && skip === 0 && top === undefined && !only
}

function onlyMember(resource: Resource, lookup: Lookup): Resource | undefined {
  const members = isCollection(resource) ? resource.Members : []
  const [member] = members
  return members.length === 1 && member !== undefined ? memberResource(member, lookup) : undefined
}

function isKept(member: Json, filter: Filter, lookup: Lookup): boolean {
  const found = memberResource(member, lookup)
  return found !== undefined && fits(filter, found)
}

/** A member is a link, or stands in its collection in full. */
function memberResource(member: Json, lookup: Lookup): Resource | undefined {
  if (!isObject(member)) return undefined
  if (isResource(member)) return member
  const uri = member['@odata.id']
  return typeof uri === 'string' ? lookup(uri) : undefined
}

function isResource(object: JsonObject): object is Resource {
  return typeof object['@odata.id'] === 'string' && typeof object['@odata.type'] === 'string'
}
