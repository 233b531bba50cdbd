import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import type { TestEmulator, TestRequest } from './emulator.ts'

const BOUNDARY = 'test-boundary-7d2a'

/** One part as it is written; `file` adds a file name. */
export interface WrittenPart {
  readonly name: string
  readonly body: string | Buffer
  readonly type?: string
  readonly file?: string
}

/** A multipart/form-data body, byte by byte. */
export function multipartBody(parts: readonly WrittenPart[], end = `--${BOUNDARY}--\r\n`) {
  const written = parts.flatMap(({ name, body, type = 'application/octet-stream', file }) => [
    Buffer.from(
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file === undefined ? '' : `; filename="${file}"`}\r\n` +
        `Content-Type: ${type}\r\n\r\n`,
    ),
    Buffer.from(body),
    Buffer.from('\r\n'),
  ])
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
    body: Buffer.concat([...written, Buffer.from(end)]),
  } satisfies TestRequest
}

/** The two parts of an ordinary push. */
export function pushParts(image: Buffer, parameters: JsonObject = {}): WrittenPart[] {
  return [
    { name: 'UpdateParameters', body: JSON.stringify(parameters), type: 'application/json' },
    { name: 'UpdateFile', body: image, file: 'update.tar' },
  ]
}

/** Pushes an image by inject. */
export function push(
  { send }: Pick<TestEmulator, 'send'>,
  image: Buffer,
  parameters: JsonObject = {},
  request: TestRequest = {},
) {
  return send(uris.multipartPush, {
    method: 'POST',
    ...multipartBody(pushParts(image, parameters)),
    ...request,
  })
}

/** Pushes an image as the body of a POST to HttpPushUri. */
export function pushRaw({ send }: Pick<TestEmulator, 'send'>, body: Buffer, request: TestRequest = {}) {
  return send(uris.rawPush, { method: 'POST', body, ...request })
}

/** The ids of the messages of a Task or an error object, without registry and version. */
export function messageKeys(body: JsonObject): string[] {
  const { error, Messages } = body as {
    readonly error?: { readonly '@Message.ExtendedInfo': readonly { readonly MessageId: string }[] }
    readonly Messages?: readonly { readonly MessageId: string }[]
  }
  return (error?.['@Message.ExtendedInfo'] ?? Messages ?? []).map(
    ({ MessageId }) => MessageId.split('.').at(-1) ?? '',
  )
}

/** What an error tells, and of what: `PropertyUnknown /Colour`. */
export function mistakesIn(body: JsonObject): string[] {
  const { error } = body as {
    readonly error?: {
      readonly '@Message.ExtendedInfo': readonly { RelatedProperties?: readonly string[] }[]
    }
  }
  const pointers = error?.['@Message.ExtendedInfo'].map(({ RelatedProperties = [] }) =>
    RelatedProperties.join(),
  )
  return messageKeys(body).map((key, index) => `${key} ${pointers?.[index] ?? ''}`)
}
