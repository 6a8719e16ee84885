/** What `prisma migrate deploy` makes of schema.prisma in an application. */
export const tables = `
  CREATE TABLE "user" (
    id     serial  PRIMARY KEY,
    name   text    NOT NULL UNIQUE,
    points integer NOT NULL DEFAULT 0
  );
  CREATE TABLE question (
    id        serial  PRIMARY KEY,
    title     text    NOT NULL,
    slug      text    NOT NULL UNIQUE,
    author_id integer NOT NULL REFERENCES "user" (id)
  );
  CREATE TABLE tag (
    id          serial  PRIMARY KEY,
    name        text    NOT NULL,
    question_id integer NOT NULL REFERENCES question (id)
  );
  INSERT INTO "user" (name) VALUES ('ada');
`;
