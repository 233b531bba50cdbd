import { expect } from 'vitest'
import { uris } from '../../src/redfish/uris.ts'
import { bundleOf } from './images.ts'
import { multipartBody, pushParts } from './multipart.ts'
import { head, lastTask, type RawClient, rawClient, type Wire } from './wire.ts'

/** An update that needs no reset. */
export const nic = { 'NIC-1': '22.42.1000' }
export const contentType = multipartBody([]).headers['content-type']

/** The body in HTTP/1.1 chunks of this size. */
export function chunked(body: Buffer, chunkBytes = 4_096): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; at += chunkBytes) {
    const piece = body.subarray(at, at + chunkBytes)
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'))
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')])
}

/** Sends a whole upload with its length. */
export function upload(
  { port }: Wire,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
): RawClient {
  const all = { 'Content-Type': contentType, 'Content-Length': body.length, ...headers }
  return rawClient(port).send(head('POST', uris.multipartPush, all), body)
}

/** Sends a whole upload in chunks. */
export function uploadChunked({ port }: Wire, body: Buffer, chunkBytes?: number): RawClient {
  const headers = { 'Content-Type': contentType, 'Transfer-Encoding': 'chunked' }
  return rawClient(port).send(head('POST', uris.multipartPush, headers), chunked(body, chunkBytes))
}

/** The update that was pushed comes to its end, and leaves nothing behind. */
export async function expectNicUpdated(wire: Wire): Promise<void> {
  expect(await lastTask(wire, wire.bmc)).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
  expect((await wire.get(uris.firmware('NIC-1'))).json).toMatchObject({ Version: nic['NIC-1'] })
  await wire.spoolIsEmpty()
}

/** A push is received, and does what it is for. */
export async function expectPushWorks(wire: Wire): Promise<void> {
  const { body } = multipartBody(pushParts(await bundleOf(nic)))
  expect((await upload(wire, body).answer()).status).toBe(202)
  await expectNicUpdated(wire)
}

/** Sends an image to HttpPushUri with its length. */
export function uploadRaw(
  { port }: Wire,
  image: Buffer,
  headers: Readonly<Record<string, string>> = {},
): RawClient {
  return rawClient(port).send(
    head('POST', uris.rawPush, { 'Content-Length': image.length, ...headers }),
    image,
  )
}

/** Sends an image to HttpPushUri in chunks. */
export function uploadRawChunked({ port }: Wire, image: Buffer, chunkBytes?: number): RawClient {
  const headers = { 'Transfer-Encoding': 'chunked' }
  return rawClient(port).send(head('POST', uris.rawPush, headers), chunked(image, chunkBytes))
}
