CREATE INDEX objects_by_address ON objects (address);
CREATE INDEX objects_by_type ON objects (type);
CREATE INDEX objects_by_dominator ON objects (dominator);
CREATE INDEX edges_by_referent ON edges (referent);
CREATE INDEX roots_by_object ON roots (object);
