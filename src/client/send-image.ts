import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { isObject, type JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import type { Errand, PushWatcher } from './errand.ts'
import { errorText } from './message-reading.ts'
import { multipartBody, type PushedImage } from './multipart.ts'
import type { ClientAnswer, RedfishClient } from './redfish-client.ts'

const URI = /^[a-z][a-z0-9+.-]*:\/\//i

/** The UpdateService, found by the links from the service root. */
export async function discoverService(client: RedfishClient): Promise<JsonObject> {
  const root = await read(client, `${uris.root}/`)
  const service = isObject(root['UpdateService']) ? root['UpdateService']['@odata.id'] : undefined
  if (typeof service !== 'string') throw new Error('the service has no UpdateService')
  return read(client, service)
}

/** The URI of an action of the UpdateService. Throws an Error where it does not offer that. */
export function actionOf(service: JsonObject, name: string): string {
  const actions = isObject(service['Actions']) ? service['Actions'] : {}
  const action = actions[`#UpdateService.${name}`]
  const target = isObject(action) ? action['target'] : undefined
  if (typeof target !== 'string') throw new Error(`the service offers no ${name}`)
  return target
}

/** Gives the service an image: a file is pushed, of a URI it is told. Throws an Error where it is refused. */
export async function sendImage(
  { client, watcher }: Errand,
  service: JsonObject,
  { image, parameters }: { readonly image: string; readonly parameters: JsonObject },
): Promise<ClientAnswer> {
  const accepted = URI.test(image)
    ? await client.post(actionOf(service, 'SimpleUpdate'), { ...sourceOf(image), ...parameters })
    : await client.upload(pushUriOf(service), multipartBody(await imageOf(image, watcher), parameters))
  if (accepted.status >= 300)
    throw new Error(`the service refused the image: ${errorText(accepted.status, accepted.body)}`)
  return accepted
}

/** Where the image is; a password is no part of a URI that others are shown. */
function sourceOf(image: string): JsonObject {
  const uri = new URL(image)
  if (uri.username === '') return { ImageURI: image }
  const { username, password } = uri
  uri.username = ''
  uri.password = ''
  return {
    ImageURI: uri.href,
    Username: decodeURIComponent(username),
    Password: decodeURIComponent(password),
  }
}

function pushUriOf(service: JsonObject): string {
  const pushUri = service['MultipartHttpPushUri']
  if (typeof pushUri !== 'string')
    throw new Error('the service offers no multipart push (no MultipartHttpPushUri)')
  return pushUri
}

/** A file, streamed from disk. */
async function imageOf(file: string, watcher: PushWatcher): Promise<PushedImage> {
  const { size } = await stat(file)
  return {
    fileName: basename(file),
    sizeBytes: size,
    read: () => createReadStream(file, { highWaterMark: 2 ** 18 }),
    sent: (bytes) => watcher.sent(bytes, size),
  }
}

async function read(client: RedfishClient, path: string): Promise<JsonObject> {
  const answer = await client.get(path)
  if (answer.status !== 200) throw new Error(`GET ${path}: ${errorText(answer.status, answer.body)}`)
  return answer.body
}
