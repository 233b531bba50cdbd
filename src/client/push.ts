import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Clock } from '../lib/clock.ts'
import { isObject, type JsonObject } from '../redfish/resource.ts'
import { referencePath, uris } from '../redfish/uris.ts'
import { errorText, type ReadMessage, readMessages } from './message-reading.ts'
import type { ClientAnswer, RedfishClient, StreamedBody } from './redfish-client.ts'

const POLL_S = 1
/** Task and Job states after which nothing more happens. */
const finalStates = new Set(['Completed', 'Exception', 'Cancelled', 'Killed', 'Interrupted', 'Suspended'])
const skipped = new Set([
  'UpdateSkipped',
  'UpdateSkippedSameVersion',
  'UpdateSkippedVersionTooLow',
  'UpdateNotApplicable',
  'NoTargetsDetermined',
])
const successes = new Set(['UpdateSuccessful', 'AwaitToActivate', 'ResetRequired'])

/** Told of everything worth showing while an update goes its way. */
export interface PushWatcher {
  readonly sent: (bytes: number, total: number) => void
  readonly progressed: (state: string, percent: number | undefined) => void
  readonly said: (message: ReadMessage) => void
  readonly waiting: (text: string) => void
}

export interface PushRequest {
  readonly file: string
  readonly parameters: JsonObject
}

export interface PushOutcome {
  /** Whether the update came to its end as asked, a reset apart. */
  readonly completed: boolean
  readonly messages: readonly ReadMessage[]
}

/** Pushes an image by the multipart push of any Redfish service and follows it to its end. */
export async function pushImage(
  client: RedfishClient,
  { file, parameters }: PushRequest,
  watcher: PushWatcher,
  clock: Clock,
): Promise<PushOutcome> {
  const pushUri = await discoverPushUri(client)
  const body = await multipartBody(file, parameters, watcher)
  const accepted = await client.upload(pushUri, body)
  if (accepted.status >= 300)
    throw new Error(`the service refused the image: ${errorText(accepted.status, accepted.body)}`)
  return follow(client, accepted, watcher, clock)
}

/** Finds MultipartHttpPushUri by the links from the service root. */
async function discoverPushUri(client: RedfishClient): Promise<string> {
  const root = await read(client, `${uris.root}/`)
  const service = isObject(root['UpdateService']) ? root['UpdateService']['@odata.id'] : undefined
  if (typeof service !== 'string') throw new Error('the service has no UpdateService')
  const pushUri = (await read(client, service))['MultipartHttpPushUri']
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

/** Polls the Task where the answer shows one, else its monitor, and the Job that it may turn into. */
async function follow(
  client: RedfishClient,
  accepted: ClientAnswer,
  watcher: PushWatcher,
  clock: Clock,
): Promise<PushOutcome> {
  const heard: ReadMessage[] = []
  let answer = accepted
  let path = resourcePath(accepted) ?? accepted.location
  for (;;) {
    const { body } = answer
    const state = stateOf(body)
    const messages = readMessages(body)
    for (const message of messages.slice(heard.length)) watcher.said(message)
    heard.splice(0, heard.length, ...messages)
    watcher.progressed(
      state ?? '',
      typeof body['PercentComplete'] === 'number' ? body['PercentComplete'] : undefined,
    )
    const job = messages.find((message) => message.key === 'OperationTransitionedToJob')?.args[0]
    const isEnd = answer.status !== 202 && (state === undefined || finalStates.has(state))
    const isFinal = isEnd || (state !== undefined && finalStates.has(state))
    if (isFinal && job !== undefined && job !== path) {
      path = job
      heard.length = 0
    } else if (isFinal || path === undefined) {
      return { completed: isCompleted(answer, state, messages), messages }
    }
    await clock.sleep((answer.retryAfterS ?? POLL_S) * 1_000)
    answer = await client.get(path)
    if (answer.status === 404) throw new Error(`${path} is gone before the update ended`)
  }
}

/** Completed, and not merely because there was nothing to do. */
function isCompleted(
  { status, body }: ClientAnswer,
  state: string | undefined,
  messages: readonly ReadMessage[],
): boolean {
  if (status >= 400 || (state !== undefined && state !== 'Completed')) return false
  if (body['TaskStatus'] === 'Critical' || body['JobStatus'] === 'Critical') return false
  return !messages.some(({ key }) => skipped.has(key)) || messages.some(({ key }) => successes.has(key))
}

/** Performs the resets that the messages ask for and waits until what waited for them shows another version. */
export async function resetAndWait(
  client: RedfishClient,
  messages: readonly ReadMessage[],
  watcher: PushWatcher,
  clock: Clock,
): Promise<void> {
  const targets = messages.filter(({ key }) => key === 'AwaitToActivate').map(({ args }) => args[1] ?? '')
  const before = new Map<string, unknown>()
  for (const target of targets) before.set(target, (await read(client, target))['Version'])
  const resets = new Map(
    messages.filter(({ key }) => key === 'ResetRequired').map(({ args }) => [args.join(' '), args]),
  )
  for (const [action = '', type = ''] of resets.values()) {
    watcher.waiting(`reset ${action} ${type}`)
    const answer = await client.post(action, { ResetType: type })
    if (answer.status >= 300)
      throw new Error(`the reset was refused: ${errorText(answer.status, answer.body)}`)
  }
  while (before.size > 0) {
    await clock.sleep(POLL_S * 1_000)
    for (const [target, old] of before) {
      const version = await readVersion(client, target)
      if (version === undefined || version === old) continue
      watcher.waiting(`${target} is at ${version}`)
      before.delete(target)
    }
  }
}

/** `undefined` while the service is away. */
async function readVersion(client: RedfishClient, target: string): Promise<string | undefined> {
  try {
    const answer = await client.get(target)
    const version = answer.status === 200 ? answer.body['Version'] : undefined
    return typeof version === 'string' ? version : undefined
  } catch {
    return undefined // connections are refused while the manager boots
  }
}

async function read(client: RedfishClient, path: string): Promise<JsonObject> {
  const answer = await client.get(path)
  if (answer.status !== 200) throw new Error(`GET ${path}: ${errorText(answer.status, answer.body)}`)
  return answer.body
}

function resourcePath({ body }: ClientAnswer): string | undefined {
  const id = body['@odata.id']
  return typeof id === 'string' && stateOf(body) !== undefined ? referencePath(id) : undefined
}

function stateOf(body: JsonObject): string | undefined {
  const state = body['TaskState'] ?? body['JobState']
  return typeof state === 'string' ? state : undefined
}
