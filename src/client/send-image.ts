import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { isObject, type JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import type { Errand, PushWatcher } from './errand.ts'
import { errorText } from './message-reading.ts'
import type { ClientAnswer, RedfishClient, StreamedBody } from './redfish-client.ts'

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
    : await client.upload(pushUriOf(service), await multipartBody(image, parameters, watcher))
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

/** The body of RFC 7578 with the parts that UpdateService names, the file streamed from disk. */
async function multipartBody(
  file: string,
  parameters: JsonObject,
  watcher: PushWatcher,
): Promise<StreamedBody> {
  const { size } = await stat(file)
  const boundary = `redflash-${randomUUID()}`
  const part = (name: string, type: string, fileName = ''): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${fileName}\r\nContent-Type: ${type}\r\n\r\n`
  const name = `; filename="${basename(file).replaceAll('"', '%22')}"`
  const head = Buffer.from(
    `${part('UpdateParameters', 'application/json')}${JSON.stringify(parameters)}\r\n${part('UpdateFile', 'application/octet-stream', name)}`,
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  async function* chunks(): AsyncIterable<Uint8Array> {
    yield head
    let sent = 0
    for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 18 })) {
      yield chunk as Uint8Array
      sent += (chunk as Uint8Array).byteLength
      watcher.sent(sent, size)
    }
    yield tail
  }
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes: head.length + size + tail.length,
    chunks: chunks(),
  }
}

async function read(client: RedfishClient, path: string): Promise<JsonObject> {
  const answer = await client.get(path)
  if (answer.status !== 200) throw new Error(`GET ${path}: ${errorText(answer.status, answer.body)}`)
  return answer.body
}
