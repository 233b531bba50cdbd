import { randomUUID } from 'node:crypto'
import type { JsonObject } from '../redfish/resource.ts'
import type { StreamedBody } from './redfish-client.ts'

/** An image on its way to a service. */
export interface PushedImage {
  readonly fileName: string
  readonly sizeBytes: number
  readonly read: () => AsyncIterable<Uint8Array>
  /** Told how many of its bytes have been taken. */
  readonly sent: (bytes: number) => void
}

/** The body of RFC 7578 with the parts that UpdateService names, the image streamed. */
export function multipartBody(image: PushedImage, parameters: JsonObject): StreamedBody {
  const boundary = `redflash-${randomUUID()}`
  const part = (name: string, type: string, fileName = ''): string =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${fileName}\r\nContent-Type: ${type}\r\n\r\n`
  const name = `; filename="${image.fileName.replaceAll('"', '%22').replaceAll(/[\r\n]/g, ' ')}"`
  const head = Buffer.from(
    `${part('UpdateParameters', 'application/json')}${JSON.stringify(parameters)}\r\n${part('UpdateFile', 'application/octet-stream', name)}`,
  )
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  async function* chunks(): AsyncIterable<Uint8Array> {
    yield head
    yield* counted(image)
    yield tail
  }
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes: head.length + image.sizeBytes + tail.length,
    chunks: { [Symbol.asyncIterator]: () => chunks()[Symbol.asyncIterator]() },
  }
}

/** The image alone. */
export function rawBody(image: PushedImage): StreamedBody {
  return {
    contentType: 'application/octet-stream',
    sizeBytes: image.sizeBytes,
    chunks: { [Symbol.asyncIterator]: () => counted(image)[Symbol.asyncIterator]() },
  }
}

async function* counted({ read, sent }: PushedImage): AsyncIterable<Uint8Array> {
  let bytes = 0
  for await (const chunk of read()) {
    yield chunk
    bytes += chunk.byteLength
    sent(bytes)
  }
}
