import { isCollection, type Json, type Resource } from '../resource.ts'

/** Which members of a collection an answer holds. */
export interface Cut {
  readonly skip: number
  readonly top: number | undefined
  /** The most that one answer holds; 0 is no limit. */
  readonly pageSize: number
  /** What else the query says, repeated by the link to the next page. */
  readonly otherOptions?: readonly string[]
  /** Members that are counted and shown. */
  readonly keep?: (member: Json) => boolean
}

/** A resource as it is shown to whoever asks for nothing in particular. */
export function firstPage(resource: Resource, pageSize: number): Resource {
  return pageSize === 0 ? resource : page(resource, { skip: 0, top: undefined, pageSize })
}

/** The part of a collection that a client asked for, and a link to more where the service cut it short. */
export function page(resource: Resource, cut: Cut): Resource {
  if (!isCollection(resource)) return resource
  const { skip, top, pageSize, otherOptions = [], keep } = cut
  const all = keep === undefined ? resource.Members : resource.Members.filter(keep)
  const asked = Math.max(0, Math.min(top ?? Infinity, all.length - skip))
  const shown = pageSize === 0 ? asked : Math.min(asked, pageSize)
  const options = [
    ...otherOptions,
    `$skip=${skip + shown}`,
    ...(top === undefined ? [] : [`$top=${top - shown}`]),
  ]
  return {
    ...resource,
    'Members@odata.count': all.length,
    Members: all.slice(skip, skip + shown),
    // Whoever asked for so many with $top and got them has no next page.
    ...(shown < asked && { 'Members@odata.nextLink': `${resource['@odata.id']}?${options.join('&')}` }),
  }
}
