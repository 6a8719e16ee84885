/** Scripts that the mariadb client and the splitter have to read alike. What the client sends of them is in mysql-scripts.json. */
export const CLIENT_SCRIPTS: Readonly<Record<string, string>> = {
  'semicolons on one line': 'SELECT 1; SELECT 2;SELECT 3',
  'empty statements': ';;\nSELECT 1;; ;\n;\n',
  'a byte order mark': '\uFEFFSELECT 1;\nSELECT 2;\n',
  CRLF: "SELECT 1;\r\nSELECT 'a\r\nb';\r\nDELIMITER //\r\nSELECT 3; SELECT 4//\r\nDELIMITER ;\r\nSELECT 5;\r\n",
  'lone CR as white space': 'SELECT 1;\rSELECT 2;\rSELECT\r3',
  'quotes of each kind': `SELECT 'a;b', "c;d", 1 AS \`e;f\`;\nSELECT 'it''s; "x"', "it's; 'x'", 1 AS \`a"b;'\`;`,
  'doubled quotes': "SELECT '''', 'a'';b', \"\"\";\", \"\";\nSELECT 2;",
  'backslashes in quotes': "SELECT 'a\\';b', \"a\\\";b\", '\\\\';\nSELECT '\\\\\\'; x';",
  'backslashes in backticks': 'SELECT 1 AS `a\\`; SELECT 2;',
  'quotes over lines': "SELECT 'a;\n-- b;\n# c;\n/* d;', 2;\nSELECT 3;",
  'minus signs': 'SELECT 5--1; SELECT 5 --1;\nSELECT 5 -- 1;\n;\nSELECT 2;',
  '-- before a tab, CR and the end': 'SELECT 1 --\t;\n; SELECT 2 --\r\n; SELECT 3 --',
  'hash comments': 'SELECT 1 # one; two\n; # three;\nSELECT 2 #',
  'quotes in comments': "SELECT 1 -- it's\n; SELECT 2 /* it's \" ` */; # it's\nSELECT 3;",
  'comments in quotes': "SELECT '/*', 1, '*/', '-- ', '#';SELECT 2;",
  'comments do not nest': 'SELECT 1 /* /* ; */ + 1; SELECT 2;',
  'comments that end at once': 'SELECT 1 /**/ + 1 /***/ + 1; SELECT 2;',
  hints: 'SELECT /*+ a;b */ 1; SELECT /*+ NO_ICP(t) */ 2;',
  'slashes and stars': 'SELECT 6 / 2 * 3; SELECT 6/2; SELECT 2*/**/3;',
  'executable comments':
    "/*!40101 SET @a = 'x;y' */;\nSELECT 1 /*!50000 + 1 */ /*M!100100 + 1 */;\nSELECT /*!99999 ';' */ 2;",
  'a comment in an executable comment': 'SELECT /*!50000 1 /* x;y */ */ + 1; SELECT 2;',
  'the head of a dump':
    '/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n\n/*!40101 SET @OLD=@@SQL_MODE */;\nSELECT 1;\n',
  'backslash g and G': 'SELECT 1\\g SELECT 2\\G\nSELECT 3\\G;SELECT 4',
  'NULL by backslash': "SELECT \\N, '\\N';SELECT 2;",
  'DELIMITER //': 'DELIMITER //\nSELECT 1; SELECT 2//\nSELECT 3 //\nDELIMITER ;\nSELECT 4;',
  'delimiter $$ in any case, indented':
    ' \tdelimiter $$\nSELECT 1; SELECT 2$$\n  DeLiMiTeR ;\nSELECT 3;SELECT 4;',
  'DELIMITER ;;': "DELIMITER ;;\nSELECT 1; SELECT ';;';;\nSELECT 3;;\nDELIMITER ;\nSELECT 4;",
  'empty statements of two characters': 'DELIMITER //\n////SELECT 1//\n//\n //\nDELIMITER ;;\n;;;;SELECT 2;;',
  'a delimiter after a program':
    'CREATE PROCEDURE never() SELECT 1;\nDELIMITER //\nSELECT 1; BEGIN SELECT 2//\nSELECT 3//',
  'DELIMITER |': "DELIMITER |\nSELECT 1|SELECT '|'|\nDELIMITER ;\nSELECT 3;",
  'DELIMITER of letters':
    'DELIMITER END_OF\nSELECT 1; SELECT 2 END_OF\nSELECT 3END_OF\nDELIMITER ;\nSELECT 4;',
  'a delimiter with a semicolon': 'DELIMITER //;\nSELECT 1//2; SELECT 2//;\nDELIMITER ;//;\nSELECT 3;',
  'a quoted delimiter': 'DELIMITER "a b"\nSELECT 1; SELECT 2a bSELECT 3a b\nDELIMITER ;\nSELECT 4;',
  'a delimiter and a comment behind it': 'DELIMITER // -- until the end\nSELECT 1; SELECT 2//\nDELIMITER ;\n',
  'DELIMITER at the end without a line end': 'DELIMITER //\nSELECT 1; SELECT 2//\nDELIMITER ;',
  'the delimiter in quotes and comments':
    'DELIMITER //\nSELECT \'//\', "//", 1 AS `//` /* // */ -- //\n# //\n//\nSELECT 2//',
  'no last delimiter': 'DELIMITER $$\nSELECT 1$$\nSELECT 2; SELECT 3',
  'a trigger of a dump':
    "DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x\nFOR EACH ROW BEGIN\n  SET NEW.a = ';;';\nEND */;;\nDELIMITER ;\nSELECT 1;",
  transactions: 'BEGIN;\nSELECT 1;\nCOMMIT;\nBEGIN WORK; SELECT 2; ROLLBACK;\nSTART TRANSACTION; COMMIT;',
  'HELP is SQL': "help 'SELECT'; SELECT 1;",
  'other alphabets': "SELECT 'größe; 日本; 😀' AS `ü;`; SELECT 2 AS größe;SELECT '😀\\';😀';",
  'no terminator after a comment': 'SELECT 1 -- the end',
  'words that look like blocks':
    "SELECT 1 AS begin, 2 AS end; CREATE TABLE IF NOT EXISTS never (`case` INT); SELECT CASE WHEN 1 THEN IF(1, 2, 3) END; SELECT REPEAT('x', 2);",
};

/** Statements that hold statements. Each is one, with DELIMITER or without it, to us and to MariaDB. */
export const BLOCKS: Readonly<Record<string, string>> = {
  'an empty block': 'CREATE PROCEDURE p() BEGIN END',
  'a block': 'CREATE PROCEDURE p()\nBEGIN\n  SELECT 1;\n  SELECT 2;\nEND',
  'one statement': 'CREATE PROCEDURE p() SELECT 1',
  'blocks in blocks': 'CREATE PROCEDURE p() BEGIN BEGIN SELECT 1; END; BEGIN BEGIN END; END; SELECT 2; END',
  labels:
    'CREATE PROCEDURE p() outer_one: BEGIN again: LOOP LEAVE again; END LOOP again; SELECT 1; END outer_one',
  'IF, ELSEIF, ELSE':
    'CREATE PROCEDURE p(a INT) BEGIN IF a = 1 THEN SELECT 1; ELSEIF a = 2 THEN SELECT 2; ELSE IF a = 3 THEN SELECT 3; END IF; SELECT 4; END IF; END',
  'IF as the body': 'CREATE PROCEDURE p(a INT) IF (a > 1) THEN SELECT 1; ELSE SELECT 2; END IF',
  'the function IF':
    "CREATE PROCEDURE p(a INT) BEGIN SET @x = IF(a, 1, 2); SELECT IF(a > 1, 'END', 'x'); IF IF(a, 1, 0) THEN SELECT 1; END IF; END",
  'IF EXISTS of DDL':
    'CREATE PROCEDURE p() BEGIN DROP TABLE IF EXISTS x; CREATE TABLE IF NOT EXISTS x (a INT); IF EXISTS (SELECT 1) THEN SELECT 1; END IF; END',
  'CASE statements':
    'CREATE PROCEDURE p(a INT) BEGIN CASE a WHEN 1 THEN SELECT 1; WHEN 2 THEN BEGIN SELECT 2; END; ELSE BEGIN END; END CASE; CASE WHEN a > 1 THEN SELECT 3; END CASE; END',
  'CASE expressions':
    "CREATE PROCEDURE p(a INT) BEGIN SELECT CASE a WHEN 1 THEN IF(1, 2, 3) WHEN 2 THEN CASE WHEN 1 THEN 2 END ELSE REPEAT('x', 3) END AS c; SET @a = CASE WHEN a THEN 1 ELSE 2 END; SELECT 2; END",
  'CASE in conditions':
    'CREATE PROCEDURE p(a INT) BEGIN IF CASE WHEN a THEN 1 ELSE 0 END THEN SELECT 1; END IF; WHILE CASE a WHEN 1 THEN 1 ELSE 0 END DO SET a = 2; END WHILE; END',
  'LOOP, WHILE, REPEAT':
    'CREATE PROCEDURE p(a INT) BEGIN l: LOOP LEAVE l; END LOOP; WHILE a < 3 DO SET a = a + 1; END WHILE; REPEAT SET a = a + 1; UNTIL a > 9 END REPEAT; REPEAT SET a = 1; UNTIL CASE a WHEN 1 THEN 1 END END REPEAT; END',
  FOR: 'CREATE PROCEDURE p() BEGIN FOR i IN 1..3 DO SELECT i; END FOR; FOR r IN (SELECT 1 AS a) DO SELECT r.a; END FOR; END',
  handlers:
    'CREATE PROCEDURE p() BEGIN DECLARE done INT DEFAULT 0; DECLARE c CURSOR FOR SELECT 1; DECLARE EXIT HANDLER FOR SQLEXCEPTION, SQLWARNING BEGIN ROLLBACK; RESIGNAL; END; DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = IF(1, 2, 3); OPEN c; CLOSE c; END',
  'handlers of states':
    "CREATE PROCEDURE p() BEGIN DECLARE gone CONDITION FOR SQLSTATE '45000'; DECLARE EXIT HANDLER FOR gone, 1062 BEGIN SELECT 1; END; DECLARE CONTINUE HANDLER FOR SQLSTATE VALUE '23000' IF 1 THEN SELECT 2; END IF; SELECT 3; END",
  'columns named end and begin':
    'CREATE PROCEDURE p() BEGIN SELECT t.end, begin, end FROM (SELECT 1 AS begin, 2 AS end) t WHERE t.end > 1 AND end = 2; SELECT CASE WHEN end = 1 THEN end ELSE begin END FROM (SELECT 1 AS begin, 2 AS end) t; SET @end = 1; END',
  'a transaction in a procedure': 'CREATE PROCEDURE p() BEGIN START TRANSACTION; SELECT 1; COMMIT; END',
  'quotes and comments in a body':
    "CREATE PROCEDURE p() BEGIN -- it's; END\n SELECT 'END; BEGIN', \"END;\"; /* END; BEGIN */ # END;\n SELECT 1 AS `END`; END",
  'a function':
    "CREATE FUNCTION p(a INT) RETURNS VARCHAR(9) CHARACTER SET utf8mb4 DETERMINISTIC READS SQL DATA COMMENT 'x; END' BEGIN DECLARE b INT; SET b = a; RETURN CASE WHEN b THEN 'x' END; END",
  'a function of a SET': "CREATE FUNCTION p() RETURNS SET('a', 'b') RETURN 'a'",
  'a function of one expression': 'CREATE FUNCTION p(a INT) RETURNS INT RETURN a IS NULL',
  'a trigger':
    'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN IF NEW.a IS NULL THEN SET NEW.a = 1; END IF; END',
  'a trigger of one statement':
    'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = CASE WHEN 1 THEN 2 END',
  'a trigger that follows one':
    'CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW FOLLOWS `first` BEGIN SET @a = 1; SET @b = 2; END',
  'an event':
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' ENABLE COMMENT 'do' DO BEGIN DO SLEEP(0); SELECT 1; END",
  'an altered event': 'ALTER EVENT other ON SCHEDULE EVERY 2 DAY DO BEGIN SELECT 1; SELECT 2; END',
  'DEFINER and OR REPLACE':
    "CREATE OR REPLACE DEFINER = 'root'@'localhost' PROCEDURE p() SQL SECURITY INVOKER BEGIN SELECT 1; END",
  'DEFINER without quotes': 'CREATE DEFINER=root@localhost PROCEDURE IF NOT EXISTS p() BEGIN SELECT 1; END',
  'in executable comments':
    '/*!50003 CREATE*/ /*!50020 DEFINER=`root`@`localhost`*/ /*!50003 PROCEDURE `p`()\nBEGIN\n  SELECT 1;\nEND */',
  'BEGIN NOT ATOMIC': 'BEGIN NOT ATOMIC DECLARE a INT; SET a = 1; IF a THEN SELECT 1; END IF; END',
  'blocks right after DO, LOOP, REPEAT and ELSE':
    'CREATE PROCEDURE p(a INT) BEGIN WHILE a < 3 DO IF a THEN SET a = 4; END IF; END WHILE; l: LOOP BEGIN LEAVE l; END; END LOOP; REPEAT CASE a WHEN 4 THEN SET a = 5; END CASE; UNTIL a END REPEAT; IF a THEN SELECT 1; ELSE WHILE a < 2 DO SET a = 3; END WHILE; END IF; END',
  'a column named end in REPEAT':
    'CREATE PROCEDURE p(a INT) BEGIN REPEAT SELECT end FROM (SELECT 1 AS end) t; SET a = 1; UNTIL a END REPEAT; REPEAT SELECT end FROM (SELECT 1 AS end) t; UNTIL a END REPEAT; SELECT 1; END',
  'handlers of statements of any kind':
    'CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND DO IF(1, 2, 3); DECLARE CONTINUE HANDLER FOR 1062 SAVEPOINT a; SELECT IF(1, 2, 3); END',
  'a body of DO': 'CREATE PROCEDURE p() DO IF(1, 2, 3)',
  'a quoted name and a body of IF': 'CREATE PROCEDURE IF NOT EXISTS `p`() IF 1 THEN SELECT 1; END IF',
  'a function of a SET in a block':
    "CREATE FUNCTION p() RETURNS SET('a', 'b') BEGIN DECLARE c INT; RETURN 'a'; END",
  'a trigger that precedes one':
    'CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW PRECEDES first IF 1 THEN SET @a = 1; END IF',
  'an event of one IF': 'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO IF 1 THEN SELECT 1; END IF',
  'BEGIN NOT ATOMIC and IF': 'BEGIN NOT ATOMIC IF 1 THEN SELECT 1; END IF; END',
  'IF outside of a program': 'IF 1 THEN SELECT 1; ELSE SELECT 2; END IF',
  'FOR outside of a program': 'FOR i IN 1..2 DO SELECT i; SELECT 2; END FOR',
};

/** The same in MariaDB's Oracle mode. */
export const ORACLE_BLOCKS: Readonly<Record<string, string>> = {
  'a procedure with declarations':
    'CREATE PROCEDURE p AS a INT; b INT := 2; BEGIN a := 1; IF a = 1 THEN SELECT a; ELSIF b = 2 THEN SELECT b; END IF; END',
  'a function': 'CREATE FUNCTION p(a INT) RETURN INT IS b INT; BEGIN b := a; RETURN b; END p',
  loops:
    'CREATE PROCEDURE p AS BEGIN FOR i IN 1..3 LOOP SELECT i; END LOOP; <<again>> WHILE 1 = 2 LOOP NULL; END LOOP again; END',
  exceptions:
    'CREATE PROCEDURE p AS BEGIN SELECT 1; EXCEPTION WHEN NO_DATA_FOUND THEN SELECT 2; SELECT 3; WHEN OTHERS THEN BEGIN NULL; END; END',
  'a package': 'CREATE PACKAGE k AS FUNCTION f RETURN INT; PROCEDURE q(a INT); END',
  'a package body':
    'CREATE PACKAGE BODY k AS counter INT := 0; FUNCTION f RETURN INT AS x INT; BEGIN x := 1; RETURN x; END; PROCEDURE q(a INT) AS BEGIN IF a = 1 THEN NULL; END IF; END; BEGIN counter := 1; END',
  'a package body without BEGIN of its own':
    'CREATE PACKAGE BODY k AS FUNCTION f RETURN INT AS BEGIN RETURN 1; END; PROCEDURE q(a INT) AS BEGIN IF a = 1 THEN NULL; END IF; END; END',
  'a block that begins with IF': 'BEGIN IF 1 = 1 THEN SELECT 1; END IF; END',
  'a block': 'DECLARE a INT; BEGIN a := 1; SELECT a; END',
  'a block without declarations': 'BEGIN SELECT 1; SELECT 2; END',
};
