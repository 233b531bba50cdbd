import { fail, type Result } from '../lib/result.ts'
import { bundle } from './formats/bundle.ts'
import {
  HEAD_BYTES,
  type ImageContents,
  type ImageFormat,
  type ImageProblem,
  type ImageReader,
} from './image-format.ts'

/** Every format that this service reads: what SupportedUpdateImageFormats announces. */
export const formats: readonly ImageFormat[] = [bundle]

/** A reader that tells the format from the first bytes and then reads as that format does. */
export function inspectImage(): ImageReader {
  let head: Uint8Array = new Uint8Array()
  let chosen: ImageReader | 'none' | undefined

  const choose = async (): Promise<void> => {
    chosen = formats.find((format) => format.recognises(head))?.open() ?? 'none'
    if (chosen !== 'none') await chosen.write(head)
  }
  return {
    write: async (chunk) => {
      if (chosen === 'none') return
      if (chosen !== undefined) return chosen.write(chunk)
      head = Buffer.concat([head, chunk])
      if (head.byteLength >= HEAD_BYTES) await choose()
    },
    end: async (): Promise<Result<ImageContents, ImageProblem>> => {
      if (chosen === undefined) await choose()
      return chosen === undefined || chosen === 'none' ? fail({ kind: 'unknown-format' }) : chosen.end()
    },
    abandon: () => {
      if (chosen !== undefined && chosen !== 'none') chosen.abandon()
    },
  }
}
