/** Scripts that psql and the splitter have to read alike. What psql sends of them is in postgres-scripts.json. */
export const PSQL_SCRIPTS: Readonly<Record<string, string>> = {
  'semicolons on one line': 'SELECT 1; SELECT 2;SELECT 3',
  'empty statements': ';;\nSELECT 1;; ;\n;\n',
  'a byte order mark': '\uFEFFSELECT 1;\nSELECT 2;\n',
  CRLF: "SELECT 1;\r\nSELECT 'a\r\nb' -- c\r\n;\r\n/* d\r\n */ SELECT $$\r\n;\r\n$$;\r\n",
  'lone CR as white space': 'SELECT 1;\rSELECT 2;\rSELECT\r3',
  'lone CR ends a comment': 'SELECT 1 -- a;\r; SELECT 2;',
  'no last semicolon': 'SELECT 1;\nSELECT 2 -- the end',
  'quotes of each kind': `SELECT 'a;b', 1 AS "c;d";\nSELECT 'it''s; "x"', 1 AS "it's; ""x""";`,
  'doubled quotes': "SELECT '''', 'a'';b', '''';\nSELECT 1 AS \"\"\";\";",
  'quotes over lines': "SELECT 'a;\n-- b;\n/* d;', 2;\nSELECT 3;",
  'backslashes are characters': "SELECT 'C:\\', '\\\\';SELECT '\\''';",
  'E quotes': "SELECT E'\\';', e'\\\\', E'''\\';';SELECT typee'\\';SELECT 2;",
  'quotes that go on in the next line': "SELECT 'a;'\n  'b;' -- c\n 'd;';\nSELECT 2;",
  'U& quotes': "SELECT U&'\\0041;\\', U&\"d\\0061t;a\", u&'d!0061;' UESCAPE '!';SELECT 2;",
  'bit strings and national ones': "SELECT B'01;', X'1F;', N'\\', b'', x'';SELECT 2;",
  'dollar quotes': 'DO $$ BEGIN; $a$ END $$; DO $a$ $$;$$ $b$ ; $a$;SELECT 2;',
  'dollar quotes with quotes inside': 'DO $_$ it\'s "; /* -- $_$;\nSELECT 2;',
  'tags in Unicode': 'DO $größe日$;$$;$größe日$;SELECT $é$;$é$;',
  'tags are told apart by case': 'SELECT $A$;$a$;$A$;SELECT 2;',
  'a tag that ends another': 'SELECT $a$;$b$a$;SELECT $a$;$aa$a$;',
  'a function in a function':
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $outer$\nBEGIN\n  EXECUTE $inner$ SELECT ';' $inner$;\nEND $outer$;\nSELECT 2;",
  'dollars in names and parameters': 'SELECT foo$bar$baz; SELECT $1, $2; SELECT a$$; SELECT $1 $$;$$;',
  'line comments': 'SELECT 1 -- a; b\n; -- c;\n--d;\nSELECT 2--;\n;SELECT 3;',
  'quotes in comments': 'SELECT 1 -- it\'s " $$\n; SELECT 2 /* it\'s " $$ */; SELECT 3;',
  'comments in quotes': "SELECT '/*', 1, '*/', '--', $$/*$$, \"--\";SELECT 2;",
  'comments nest': 'SELECT 1 /* /* ; */ ; /**/ */ + 1; SELECT 2;',
  'comments with odd edges': 'SELECT /*/*/**/*/;**/ 1;/***/ SELECT 2 /****/;',
  'comments in operators': 'SELECT 1 +/* ; */ 2;SELECT 3 *-- ;\n 4;SELECT 6/2, 2- -1, 2*/**/3;',
  'operators of many characters':
    "SELECT 1 <-> 2, a ->> 'b;', a @> b, ~1, !!2, a ?| b, a #>> '{;}';SELECT 2;",
  colons: "SELECT a::text, b[1:2], c := ';', :d, e:f;SELECT 2;",
  parentheses: 'CREATE RULE r AS ON INSERT TO t DO ALSO (SELECT 1; SELECT (2););SELECT 2;',
  'a rule over lines':
    "CREATE RULE r AS ON UPDATE TO t DO INSTEAD\n(\n  UPDATE a SET b = ')';\n  DELETE FROM c -- );\n);\nSELECT 2;",
  'a parenthesis too many': 'SELECT 1);SELECT (2);',
  'parentheses in quotes and comments': 'SELECT \'(\', 1 AS "(", $$($$ /* ( */ -- (\n;SELECT 2;',
  'a body': 'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;SELECT 3;',
  'a body with CASE':
    'CREATE OR REPLACE FUNCTION f(a int) RETURNS int\nBEGIN ATOMIC\n  SELECT CASE WHEN a > 1 THEN CASE a WHEN 2 THEN 3 END ELSE 4 END;\n  SELECT 5;\nEND;\nSELECT 6;',
  'a procedure':
    "create procedure p() begin atomic insert into t values ('END;'); delete from t; end; select 2;",
  'a body with comments':
    'CREATE FUNCTION f() RETURNS int BEGIN /* x; */ ATOMIC -- y;\n SELECT 1 /* END; */; -- END;\nEND;SELECT 2;',
  'no body': 'BEGIN; SELECT CASE WHEN true THEN 1 END; END; CREATE VIEW v AS SELECT 1 AS begin; SELECT 2;',
  transactions:
    'BEGIN;\nSELECT 1;\nCOMMIT;\nSTART TRANSACTION; ROLLBACK; BEGIN ISOLATION LEVEL SERIALIZABLE; END;',
  'COPY from stdin':
    'SELECT 1;\nCOPY t (a, b) FROM stdin;\n1\tit\'s; -- $$\n\\N\t"/*\n\\.\nSELECT 2;\nCOPY u FROM stdin;\n\\.\nSELECT 3;',
  'COPY in other words':
    'copy "from" From /* x */ STDIN with (format csv, header);\na;b\n\'c\n\\.\nCOPY s.t FROM STDIN CSV WHERE a > 1;\n1\n\\.\nSELECT 2;',
  'COPY with CRLF': 'COPY t FROM stdin;\r\n1\r\n2\r\n\\.\r\nSELECT 2;\r\n',
  'COPY data that looks like its end': 'COPY t FROM stdin;\na\\.\n \\.\n\\\\.\n\\.b\n\\.\nSELECT 2;',
  'other alphabets':
    "SELECT 'größe; 日本; 😀' AS \"ü;\"; SELECT 2 AS größe;SELECT '😀\\';SELECT 3 AS a\u00a0;",
  'the head of a dump':
    "--\n-- PostgreSQL database dump\n--\n\n-- Dumped by pg_dump version 15.18\n\nSET statement_timeout = 0;\nSET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\nSET default_tablespace = '';\n\n--\n-- Name: t; Type: TABLE; Schema: public; Owner: -\n--\n\nCREATE TABLE public.t (\n    a integer NOT NULL,\n    b text DEFAULT 'x;y'::text\n);\n\n\n--\n-- PostgreSQL database dump complete\n--\n\n",
  'semicolons in everything': "SELECT ';' /* ; */ , $$;$$ -- ;\n, \";\", E';\\';', ( 1 ) ;;SELECT 2;",
};

/** What psql reads otherwise than the server, whose grammar we follow; the statements that they hold. */
export const SERVER_SCRIPTS: Readonly<Record<string, readonly string[]>> = {
  // psql reads line by line, and forgets at the end of a line that E began the literal.
  'E quotes that go on in the next line': ["SELECT E'a'\n 'b\\';'", 'SELECT 2'],
  // psql counts words.
  'a column called end': [
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS end; SELECT 2 end; END',
    'SELECT 3',
  ],
  'a function called begin': ["CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'", 'SELECT 2'],
  'a type called case': ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1::s.case; END', 'SELECT 2'],
};
