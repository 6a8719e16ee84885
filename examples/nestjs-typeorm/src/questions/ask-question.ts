/** The body of `POST /questions`. */
export interface AskQuestion {
  readonly authorId: number;
  readonly title: string;
  /** The draft that becomes this question. */
  readonly draftId?: number;
}

export const POINTS_FOR_ASKING = 5;

/** The readable part of a question's address. */
export function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}
