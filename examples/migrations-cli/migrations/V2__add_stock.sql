CREATE TABLE stock (item varchar(40) PRIMARY KEY, amount int NOT NULL);
INSERT INTO stock VALUES ('pen', 10), ('ink', 2);
