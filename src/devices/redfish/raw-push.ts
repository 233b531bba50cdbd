import { type PushedImage, rawBody } from '../../client/multipart.ts'
import type { ClientAnswer } from '../../client/redfish-client.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import { type Connection, pathOf, textIn } from './connection.ts'

interface RawPush {
  /** The UpdateService, as it was just read. */
  readonly service: JsonObject
  readonly rawUri: string
  readonly target: string
  readonly image: PushedImage
}

/**
 * Pushes an image to HttpPushUri. What to do with it is said beforehand, in members that all clients share: by the busy
 * flags they tell each other who is at it, and whoever is done leaves them as they were.
 */
export async function pushRaw(
  { client }: Connection,
  { service, rawUri, target, image }: RawPush,
): Promise<ClientAnswer | 'busy'> {
  if (service['HttpPushUriTargetsBusy'] === true || service['HttpPushUriOptionsBusy'] === true) return 'busy'
  const wanted = claimOf(service, target)
  if (Object.keys(wanted).length > 0) {
    const claimed = await client.patch(pathOf(service), wanted, textIn(service, '@odata.etag'))
    // Somebody else was faster.
    if (claimed.status === 412) return 'busy'
    // Who lets nobody change them goes by what the image says.
    if (claimed.status < 300) client.patchAtEnd(pathOf(service), asBefore(service, wanted))
  }
  return client.upload(rawUri, rawBody(image))
}

/** Of the members that the service has, those that have to be others. */
function claimOf(service: JsonObject, target: string): JsonObject {
  const options = optionsOf(service)
  const when = isObject(options['HttpPushUriApplyTime']) ? options['HttpPushUriApplyTime'] : {}
  const changed = {
    ...('ForceUpdate' in options && { ForceUpdate: true }),
    ...('ApplyTime' in when &&
      when['ApplyTime'] !== 'Immediate' && { HttpPushUriApplyTime: { ApplyTime: 'Immediate' } }),
  }
  return {
    ...('HttpPushUriTargets' in service && { HttpPushUriTargets: [target] }),
    ...('HttpPushUriTargetsBusy' in service && { HttpPushUriTargetsBusy: true }),
    ...(Object.keys(changed).length > 0 && { HttpPushUriOptions: changed }),
    ...('HttpPushUriOptionsBusy' in service && { HttpPushUriOptionsBusy: true }),
  }
}

/** The same members as they were. */
function asBefore(service: JsonObject, changed: JsonObject): JsonObject {
  const before = (one: unknown, other: JsonObject): JsonObject =>
    Object.fromEntries(
      Object.entries(other).map(([name, value]) => {
        const old = isObject(one) ? one[name] : undefined
        return [name, isObject(value) ? before(old, value) : old]
      }),
    )
  return before(service, changed)
}

function optionsOf(service: JsonObject): JsonObject {
  return isObject(service['HttpPushUriOptions']) ? service['HttpPushUriOptions'] : {}
}
